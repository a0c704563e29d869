/*
One row per Oracle purchase order.
grain: order_id
*/
select
    cast(po_header_id as text) as order_id,
    cast(vendor_id as text) as supplier_id,
    creation_date as ordered_on,
    amount as net,
    lower(closed_code) as status
from raw.purchase_order
