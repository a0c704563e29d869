/*
One row per Unit4 purchase order.
grain: order_id
*/
with

worth as (
    select
        order_id,
        cast(sum(amount) as decimal(18, 2)) as net
    from raw.order_line
    group by order_id
)

select
    orders.order_id,
    orders.apar_id as supplier_id,
    orders.order_date as ordered_on,
    coalesce(worth.net, cast(0 as decimal(18, 2))) as net,
    case
        when orders.status in ('N', 'O', 'A') then 'open'
        when orders.status in ('F', 'C') then 'closed'
        when orders.status = 'T' then 'cancelled'
    end as status
from raw."order" as orders
left join worth on orders.order_id = worth.order_id
