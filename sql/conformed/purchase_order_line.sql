/*
One row per line of a purchase order and revision of the order.
grain: force, source, order_id, revision, line_no
scope: force
columns:
  order_id: the order number
  revision: which edition of the order; it starts at 0 or 1 and grows with every change
  line_no: the line within the order
  is_current: whether this is the order's latest revision; only its lines may be added up
  supplier_id: whom the order was placed with
  ordered_on: the day this revision was raised
  required_on: the day the goods are wanted
  requested_by: who asked for it  [pii]
  quantity: how many were ordered
  unit_price: pounds each, without VAT
  net: pounds of the line without VAT
  received_quantity: how many have been booked in
  invoiced_quantity: how many have been invoiced
  outstanding: pounds ordered and not yet invoiced, the commitment; 0 for old revisions and for lines that are closed or cancelled
  account: the ledger account charged
  cost_centre: the cost centre charged
  status: open (more may be charged to it), closed or cancelled
  source: the purchasing system of this force that the row came from
checks:
  unique: force, source, order_id, revision, line_no
  not_null: order_id, revision, line_no, is_current, net, outstanding, status
  accept status: status in ('open', 'closed', 'cancelled')
  accept net: abs(net - quantity * unit_price) <= 0.01      (warn)
  accept invoiced: not is_current or invoiced_quantity <= received_quantity      (warn)
  relate order_id: conformed.purchase_order.order_id      (warn)
*/
with

ranked as (
    select
        *,
        revision = max(revision) over (partition by source, order_id) as is_current
    from staging.purchase_order_line
)

select
    order_id,
    revision,
    line_no,
    is_current,
    supplier_id,
    ordered_on,
    required_on,
    requested_by,
    quantity,
    unit_price,
    net,
    received_quantity,
    invoiced_quantity,
    cast(
        case
            when not is_current or status <> 'open' then 0
            -- A line without a quantity is a sum to draw on: nothing says how much of it is used.
            when coalesce(quantity, 0) = 0 then net
            when coalesce(invoiced_quantity, 0) >= quantity then 0
            else net * (quantity - coalesce(invoiced_quantity, 0)) / quantity
        end as decimal(18, 2)
    ) as outstanding,
    account,
    cost_centre,
    status,
    source
from ranked
