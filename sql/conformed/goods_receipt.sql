/*
One row per line of an order that was booked in, and delivery.
grain: force, source, receipt_id, order_id, line_no
scope: force
columns:
  receipt_id: the number of the goods received note
  order_id: the order delivered against
  line_no: the line of the order
  received_on: the day the goods came
  quantity: how many came; negative when they were sent back
  received_by: who booked them in  [pii]
  source: the purchasing system of this force that the row came from
checks:
  unique: force, source, receipt_id, order_id, line_no
  not_null: receipt_id, order_id, line_no, received_on, quantity
  relate order_id: conformed.purchase_order.order_id      (warn)
*/
select
    receipt_id,
    order_id,
    line_no,
    received_on,
    quantity,
    received_by,
    source
from staging.goods_receipt
