/*
One row per purchase order that a force raised.
grain: force, order_id
scope: force
columns:
  order_id: the order number
  supplier_id: whom the order was placed with
  ordered_on: the day the order was raised
  net: the order's value without VAT, in pounds
  status: open (more may be charged to it), closed or cancelled
  source: the finance system at this force that the row came from
checks:
  unique: force, order_id
  not_null: order_id, supplier_id, ordered_on, net, status
  accept status: status in ('open', 'closed', 'cancelled')
  relate supplier_id: conformed.supplier.supplier_id      (warn)
*/
select
    order_id,
    supplier_id,
    ordered_on,
    net,
    status,
    source
from staging.purchase_order
