/*
One row per Unit4 payment and document that it settles.
grain: payment_id, invoice_id
*/
with

items as (
    select voucher_no, orig_reference, apar_id, voucher_date, amount, pay_method
    from raw.supplier_open
    where voucher_type = 'PY'
    union all
    select voucher_no, orig_reference, apar_id, voucher_date, amount, pay_method
    from raw.supplier_settled
    where voucher_type = 'PY'
),

payments as (
    select
        voucher_no,
        orig_reference,
        apar_id,
        voucher_date,
        -- The supplier's ledger owes less for it; the hub counts what went out.
        cast(sum(-amount) as decimal(18, 2)) as amount,
        min(pay_method) as pay_method
    from items
    -- A payment on account settles nothing yet.
    where nullif(trim(orig_reference), '') is not null
    group by voucher_no, orig_reference, apar_id, voucher_date
),

opposites as (
    select
        orig_reference,
        cast(-amount as decimal(18, 2)) as amount,
        count(*) as times
    from payments
    group by orig_reference, amount
)

select
    payments.voucher_no as payment_id,
    payments.orig_reference as invoice_id,
    payments.apar_id as supplier_id,
    payments.voucher_date as paid_on,
    payments.amount,
    payments.pay_method as method,
    -- What is taken back comes again with the other sign: the two undo each other.
    row_number() over (
        partition by payments.orig_reference, payments.amount
        order by payments.voucher_date, payments.voucher_no
    ) <= coalesce(opposites.times, 0) as is_void
from payments
left join opposites
    on payments.orig_reference = opposites.orig_reference
    and payments.amount = opposites.amount
