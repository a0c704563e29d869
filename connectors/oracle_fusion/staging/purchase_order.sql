/*
One row per Oracle purchase order.
grain: order_id
*/
with

worth as (
    select
        po_header_id,
        cast(sum(case when cancel_flag then 0 else quantity * unit_price end) as decimal(18, 2)) as net
    from raw.po_line
    group by po_header_id
)

select
    cast(orders.po_header_id as text) as order_id,
    cast(orders.vendor_id as text) as supplier_id,
    cast(orders.creation_date at time zone 'Europe/London' as date) as ordered_on,
    coalesce(worth.net, cast(0 as decimal(18, 2))) as net,
    case
        when orders.cancel_flag then 'cancelled'
        -- CLOSED FOR INVOICE and CLOSED FOR RECEIVING wait for the other half.
        when upper(orders.closed_code) in ('CLOSED', 'FINALLY CLOSED') then 'closed'
        else 'open'
    end as status
from raw.po_header as orders
left join worth on orders.po_header_id = worth.po_header_id
