//! Suppliers, purchase orders, invoices and payments of one force.

use crate::demo::calendar::{self, DAY, Day, Minute};
use crate::demo::force::{Force, Number, Part, numbered, stream};
use crate::demo::ledger;
use crate::demo::names::{self, pick};
use crate::demo::people::FULL_ESTATE;
use crate::demo::world::{Invoice, Ledger, Order, Payment, Supplier};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Suppliers that more than one force pays: the name, the VAT number, and how many records each
/// force keeps of it.
const COMMON: [(&str, &str, [usize; 3]); 3] = [
    ("Fenland Fleet & Fuels Ltd", "GB900000013", [1, 1, 2]),
    ("Chiltern Custody Care Ltd", "GB900000024", [1, 1, 0]),
    ("Ouse Valley Uniforms LLP", "GB900000035", [0, 1, 1]),
];

/// The finances of `force` in an estate of `staff`.
pub(super) fn finances(force: &Force, staff: usize, seed: u64) -> Ledger {
    let size = |n: usize, least: usize| (n * force.finances * staff / 100 / FULL_ESTATE as usize).max(least);
    let mut finances = Ledger {
        suppliers: suppliers(force, size(400, 40), &mut stream(seed, force.index, Part::Suppliers)),
        ..Ledger::default()
    };
    let mut rng = stream(seed, force.index, Part::Purchasing);
    for n in 0..size(12_000, 300) {
        invoice(force, &mut rng, &mut finances, n);
    }
    for _ in 0..size(800, 20) {
        let ordered = rng.random_range(calendar::first_day()..calendar::last_day());
        let status = pick(&mut rng, &["open", "open", "cancelled"]);
        let supplier = rng.random_range(0..finances.suppliers.len());
        let net = pence(&mut rng);
        order(force, &mut finances, Order { id: String::new(), supplier, ordered, net, status });
    }
    let mut runs = runs(&mut rng, &mut finances);
    repeats(force, &mut finances, &mut runs);
    finances.payments = payments(force, &finances, runs);
    ledger::post(force, staff, seed, &mut finances, size(60_000, 1_500));
    finances
}

fn suppliers(force: &Force, count: usize, rng: &mut ChaCha8Rng) -> Vec<Supplier> {
    let mut suppliers: Vec<Supplier> = (0..count)
        .map(|n| Supplier {
            id: numbered(force.numbers.supplier, n + 1),
            name: names::AWKWARD_FIRMS.get(n).map_or_else(|| names::firm(rng), |&firm| firm.to_owned()),
            postcode: names::postcode(rng),
            vat: typed_vat(rng, format!("GB{}{:08}", force.index + 1, n * 37 + 11)),
            status: pick(
                rng,
                &["active", "active", "active", "active", "active", "active", "held", "closed"],
            ),
            created: rng.random_range(calendar::day(2010, 4, 1)..calendar::first_day()),
        })
        .collect();
    let mut at = names::AWKWARD_FIRMS.len();
    for (name, vat, records) in COMMON {
        for record in 0..records.get(force.index as usize).copied().unwrap_or_default() {
            let site = if record == 0 { String::new() } else { format!(" (site {})", record + 1) };
            suppliers[at].name = format!("{name}{site}");
            suppliers[at].vat = if force.index == 1 { spaced(vat) } else { vat.to_owned() };
            suppliers[at].status = "active";
            at += 1;
        }
    }
    suppliers
}

/// A VAT number as clerks type it, or not at all.
fn typed_vat(rng: &mut ChaCha8Rng, vat: String) -> String {
    match rng.random_range(0..100) {
        0..8 => String::new(),
        8..14 => vat.to_lowercase(),
        14..30 => spaced(&vat),
        _ => vat,
    }
}

fn spaced(vat: &str) -> String {
    format!("{} {} {} {}", &vat[..2], &vat[2..5], &vat[5..9], &vat[9..])
}

/// An amount between £5 and £250,000, small ones more often.
pub(super) fn pence(rng: &mut ChaCha8Rng) -> i64 {
    match rng.random_range(0..100) {
        0..45 => rng.random_range(500..50_000),
        45..80 => rng.random_range(50_000..500_000),
        80..97 => rng.random_range(500_000..5_000_000),
        _ => rng.random_range(5_000_000..25_000_000),
    }
}

fn order(force: &Force, finances: &mut Ledger, mut order: Order) -> usize {
    let position = finances.orders.len();
    order.id = numbered(force.numbers.order, position + 1);
    finances.orders.push(order);
    position
}

fn invoice(force: &Force, rng: &mut ChaCha8Rng, finances: &mut Ledger, n: usize) {
    let last = calendar::last_day();
    let dated = rng.random_range(calendar::first_day() - 7..last - 2);
    let received = (dated + rng.random_range(0..12)).clamp(calendar::first_day(), last);
    // A few suppliers send most invoices.
    let mut supplier = || rng.random_range(0..finances.suppliers.len());
    let supplier = supplier().min(supplier());
    let credit = rng.random_range(0..100) < 3;
    let net = pence(rng) * if credit { -1 } else { 1 };
    let vat = if rng.random_bool(0.8) { round_fifth(net) } else { 0 };
    let recent = received > last - 25;
    let status = match rng.random_range(0..100) {
        0..40 if recent => "registered",
        40..60 if recent => "matched",
        0..3 => "queried",
        3..7 => "cancelled",
        7..12 => "approved",
        _ => "paid",
    };
    let ordered = dated - rng.random_range(5..60);
    let order_status = match status {
        "cancelled" => "cancelled",
        "paid" if rng.random_bool(0.8) => "closed",
        _ => "open",
    };
    let order = rng.random_bool(0.6).then(|| {
        order(
            force,
            finances,
            Order { id: String::new(), supplier, ordered, net: net.abs(), status: order_status },
        )
    });
    finances.invoices.push(Invoice {
        id: numbered(force.numbers.invoice, n + 1),
        supplier,
        reference: format!("SI{n:06}"),
        credit,
        dated,
        received,
        stages: stages(rng, received, status),
        due: dated + 30,
        net,
        vat,
        order,
        status,
    });
}

/// A fifth, rounded half away from zero.
fn round_fifth(pence: i64) -> i64 {
    let fifth = (pence.abs() * 2 + 5) / 10;
    if pence < 0 { -fifth } else { fifth }
}

/// When the invoice was registered, matched and approved, as far as its status says.
fn stages(rng: &mut ChaCha8Rng, received: Day, status: &str) -> [Option<Minute>; 3] {
    let reached = match status {
        "registered" | "queried" | "cancelled" => 1,
        "matched" => 2,
        _ => 3,
    };
    let mut stages = [None; 3];
    let mut day = received;
    for stage in stages.iter_mut().take(reached) {
        day = (day + rng.random_range(0..5)).min(calendar::last_day());
        *stage = Some(Minute::from(day) * DAY + rng.random_range(8 * 60..18 * 60));
    }
    stages
}

/// A payment before it has a number.
struct Run {
    paid: Day,
    supplier: usize,
    void: bool,
    invoice: usize,
    amount: i64,
}

/// Payments of paid invoices on the Thursdays of the payment runs; one in a hundred is stopped
/// and made again the week after.
fn runs(rng: &mut ChaCha8Rng, finances: &mut Ledger) -> Vec<Run> {
    let mut runs = Vec::new();
    for (position, invoice) in finances.invoices.iter_mut().enumerate() {
        if invoice.status != "paid" {
            continue;
        }
        let approved = invoice.stages[2].unwrap_or_default().div_euclid(DAY) as Day;
        let wanted = approved.max(invoice.due + rng.random_range(-20..15));
        // The epoch was a Thursday.
        let paid = wanted + (7 - wanted % 7) % 7;
        if paid + 7 > calendar::last_day() {
            invoice.status = "approved";
            continue;
        }
        let amount = invoice.gross();
        let run = |paid, void| Run { paid, supplier: invoice.supplier, void, invoice: position, amount };
        let void = rng.random_bool(0.01) || runs.is_empty();
        runs.push(run(paid, void));
        if void {
            runs.push(run(paid + 7, false));
        }
    }
    runs
}

/// Pays some invoices twice: half of them because a copy was registered as another invoice, half
/// of them because the payment was made again.
fn repeats(force: &Force, finances: &mut Ledger, runs: &mut Vec<Run>) {
    let wanted = 2 + 2 * (finances.invoices.len() / 3_000);
    let until = calendar::day(2025, 11, 1);
    let candidates: Vec<usize> = runs
        .iter()
        .filter(|r| !r.void && r.paid < until && r.amount > 10_000)
        .map(|r| r.invoice)
        .take(wanted)
        .collect();
    for (n, position) in candidates.into_iter().enumerate() {
        let original = finances.invoices[position].clone();
        let Some(paid) = runs.iter().filter(|r| r.invoice == position).map(|r| r.paid).max() else {
            continue;
        };
        let mut invoice = position;
        if n % 2 == 0 {
            invoice = finances.invoices.len();
            let mut copy = original.clone();
            copy.id = numbered(force.numbers.invoice, invoice + 1);
            copy.received += 15;
            copy.stages = copy.stages.map(|stage| stage.map(|at| at + 15 * DAY));
            finances.invoices.push(copy);
        }
        let amount = original.gross();
        runs.push(Run { paid: paid + 28, supplier: original.supplier, void: false, invoice, amount });
    }
}

/// Numbers the payments: one for everything that a supplier is paid in a run.
fn payments(force: &Force, finances: &Ledger, mut runs: Vec<Run>) -> Vec<Payment> {
    runs.sort_by_key(|r| (r.paid, r.supplier, r.void, r.invoice));
    let range: Number = force.numbers.payment;
    let mut number = 0;
    let mut before = None;
    runs.iter()
        .map(|run| {
            let group = (run.paid, run.supplier, run.void);
            number += usize::from(before.replace(group) != Some(group));
            let method = match finances.suppliers[run.supplier].created % 20 {
                0 => "CHQ",
                1 => "CHAPS",
                2 | 3 => "DD",
                4 => "PCARD",
                _ => "BACS",
            };
            Payment {
                id: numbered(range, number),
                invoice: run.invoice,
                paid: run.paid,
                amount: run.amount,
                method,
                void: run.void,
            }
        })
        .collect()
}
