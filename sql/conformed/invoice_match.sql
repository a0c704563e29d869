/*
One row per line of a supplier's document that was held against an order and what was delivered.
grain: force, source, document_id, line_no
scope: force
columns:
  document_id: the document's number in the system that matched it
  line_no: the line within the document
  order_id: the order it was matched to
  order_line_no: the line of the order
  receipt_id: the goods received note it was matched to; empty where none was needed
  quantity: how many are charged
  price: pounds charged for each, without VAT
  variance: pounds charged above what was ordered and delivered; negative when below
  tolerance_rule: the rule that let the difference pass, or stopped it; in the system's own word
  source: the system of this force that the row came from
checks:
  unique: force, source, document_id, line_no
  not_null: document_id, line_no, order_id
  relate order_id: conformed.purchase_order.order_id      (warn)
*/
select
    document_id,
    line_no,
    order_id,
    order_line_no,
    receipt_id,
    quantity,
    price,
    variance,
    tolerance_rule,
    source
from staging.invoice_match
