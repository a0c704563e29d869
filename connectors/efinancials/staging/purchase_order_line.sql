/*
One row per line of an eFinancials order, and revision of the order.
grain: order_id, revision, line_no
*/
select
    po_no as order_id,
    revision,
    line as line_no,
    supplier_id,
    order_date as ordered_on,
    required_date as required_on,
    requester as requested_by,
    qty as quantity,
    unit_price,
    net,
    received_qty as received_quantity,
    invoiced_qty as invoiced_quantity,
    account,
    cost_centre,
    case
        -- Open, part received, received, invoiced: more may still be charged to all of them.
        when status in ('O', 'P', 'R', 'I') then 'open'
        when status = 'C' then 'closed'
        when status = 'X' then 'cancelled'
    end as status
from raw.purchase_order_line
