/*
One row per line of an invoice or credit note.
grain: force, source, invoice_id, line_no
scope: force
columns:
  invoice_id: the document it belongs to
  line_no: the line within the document
  line_type: item, vat, freight or other; several ledgers keep VAT as a line of its own
  description: what was bought, in the supplier's or clerk's words  [pii]
  amount: pounds of the line, without VAT unless the line is VAT; negative on a credit note
  vat_code: how VAT applies, in the ledger's own code
  account: the ledger account charged; empty until it is coded
  cost_centre: the cost centre charged; empty until it is coded
  order_id: the purchase order it was matched to; empty when none
  order_line_no: the line of that order
  source: the finance system of this force that the row came from
checks:
  unique: force, source, invoice_id, line_no
  not_null: invoice_id, line_no, line_type, amount
  accept line_type: line_type in ('item', 'vat', 'freight', 'other')
  relate invoice_id: conformed.invoice.invoice_id      (warn)
  relate order_id: conformed.purchase_order.order_id      (warn)
*/
select
    invoice_id,
    line_no,
    line_type,
    description,
    amount,
    vat_code,
    account,
    cost_centre,
    order_id,
    order_line_no,
    source
from staging.invoice_line
