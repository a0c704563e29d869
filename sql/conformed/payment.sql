/*
One row per payment and invoice that it settles.
grain: force, payment_id, invoice_id
scope: force
columns:
  payment_id: the number of the BACS item, cheque or card payment
  invoice_id: the invoice it settles, in part or in full
  supplier_id: who was paid
  paid_on: the day the payment was made
  amount: pounds paid out; negative where a credit note lowers the payment
  method: how it was paid, in the finance system's own code (BACS, CHQ …)
  is_void: whether the payment was undone, so that no money moved
  is_duplicate: whether another standing payment already paid this supplier this amount for the same supplier's reference; the first is not marked
  source: the finance system at this force that the row came from
checks:
  unique: force, payment_id, invoice_id
  not_null: payment_id, invoice_id, supplier_id, paid_on, amount, is_void, is_duplicate
  accept is_duplicate: not is_duplicate      (warn)
  relate supplier_id: conformed.supplier.supplier_id      (warn)
  relate invoice_id: conformed.invoice.invoice_id      (warn)
*/
with

referenced as (
    select
        payments.payment_id,
        payments.invoice_id,
        payments.supplier_id,
        payments.paid_on,
        payments.amount,
        payments.method,
        payments.is_void,
        payments.source,
        invoices.supplier_reference,
        -- A void payment cannot repeat another, and none can be a repeat of it. Nothing paid, or
        -- paid for a document that is not on the books, is no evidence of a repeat either.
        not payments.is_void
        and payments.amount <> 0
        and invoices.supplier_reference is not null as is_comparable
    from staging.payment as payments
    left join staging.invoice as invoices
        on payments.source = invoices.source
        and payments.invoice_id = invoices.invoice_id
)

select
    payment_id,
    invoice_id,
    supplier_id,
    paid_on,
    amount,
    method,
    is_void,
    is_comparable
    and lag(is_comparable, 1, false) over sorted
    and (lag(supplier_id) over sorted is not distinct from supplier_id)
    and (lag(supplier_reference) over sorted is not distinct from supplier_reference)
    and (lag(amount) over sorted is not distinct from amount) as is_duplicate,
    source
from referenced
-- A repeat stands right behind what it repeats. One window over all rows: most payments have no
-- equal, and a window of its own for each would take several times as long.
window sorted as (
    order by supplier_id, supplier_reference, amount, is_comparable, payment_id, invoice_id
)
