/*
One row per eFinancials purchase order.
grain: order_id
*/
select
    po_no as order_id,
    supplier_id,
    order_date as ordered_on,
    net,
    case
        -- Open, part received, received, invoiced: more may still be charged to all of them.
        when status in ('O', 'P', 'R', 'I') then 'open'
        when status = 'C' then 'closed'
        when status = 'X' then 'cancelled'
    end as status
from raw.purchase_order
