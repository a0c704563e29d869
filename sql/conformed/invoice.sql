/*
One row per invoice or credit note that a supplier sent to a force.
grain: force, invoice_id
scope: force
columns:
  invoice_id: the number the force's finance system gave the document
  supplier_id: who sent it
  supplier_reference: the number printed on the supplier's own paper
  document_type: invoice or credit note
  invoice_date: the date printed on the document, the tax point
  received_on: the day the force received it, from which 30 days to pay are counted
  registered_at: when it was keyed or scanned into the finance system, in UTC
  matched_at: when it was matched to its order, in UTC; empty when not yet
  approved_at: when payment was approved, in UTC; empty when not yet
  due_on: the last day to pay under the supplier's terms
  net: pounds without VAT; negative on a credit note
  vat: pounds of VAT; negative on a credit note
  gross: pounds to pay, net and VAT together; negative on a credit note
  order_id: the purchase order it quotes; empty when none
  status: registered, matched, queried, approved, paid or cancelled
  paid_on: the day of the last payment that still stands; empty when none does
  source: the finance system at this force that the row came from
checks:
  unique: force, invoice_id
  not_null: invoice_id, supplier_id, supplier_reference, document_type, net, gross, status
  accept document_type: document_type in ('invoice', 'credit note')
  accept status: status in ('registered', 'matched', 'queried', 'approved', 'paid', 'cancelled')
  accept gross: gross = net + vat      (warn)
  accept sign: gross <= 0 or document_type = 'invoice'      (warn)
  accept paid_on: paid_on is not null or status <> 'paid'      (warn)
  relate supplier_id: conformed.supplier.supplier_id      (warn)
  relate order_id: conformed.purchase_order.order_id      (warn)
*/
with

last_payments as (
    select
        source,
        invoice_id,
        max(paid_on) as paid_on
    from staging.payment
    where not is_void
    group by source, invoice_id
)

select
    invoices.invoice_id,
    invoices.supplier_id,
    invoices.supplier_reference,
    invoices.document_type,
    invoices.invoice_date,
    invoices.received_on,
    invoices.registered_at,
    invoices.matched_at,
    invoices.approved_at,
    invoices.due_on,
    invoices.net,
    invoices.vat,
    invoices.gross,
    invoices.order_id,
    invoices.status,
    last_payments.paid_on,
    invoices.source
from staging.invoice as invoices
left join last_payments
    on invoices.source = last_payments.source
    and invoices.invoice_id = last_payments.invoice_id
