/*
One row per line of a document that a supplier sent to a force; printed pages have none.
grain: force, source, document_id, line_no
scope: force
columns:
  document_id: the document, as in conformed.invoice_document
  line_no: the place of the line in the document, from 1
  item_name: what was supplied, in the supplier's words
  quantity: how much of it
  unit: the unit of the quantity, a code of UN/ECE Recommendation 20
  price: the net price of price_quantity units
  price_quantity: how many units the price is for; 1 where the document says nothing
  net: the net amount of the line, as stated; positive on a credit note
  vat_category: S standard, Z zero rated, E exempt, AE reverse charge, K intra-community, G export, O out of scope, L, M
  vat_rate: the rate in percent
  order_line: the line of the purchase order; empty when none
  source: the source at this force that it came from
checks:
  unique: force, source, document_id, line_no
  not_null: document_id, line_no
  accept net: net is not null      (warn)
  relate document_id: conformed.invoice_document.document_id      (warn)
*/
select
    document_id,
    line_no,
    item_name,
    quantity,
    unit,
    price,
    coalesce(price_quantity, 1) as price_quantity,
    net,
    vat_category,
    vat_rate,
    order_line,
    source
from staging.invoice_document_line
