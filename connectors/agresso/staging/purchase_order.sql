/*
One row per Agresso purchase order.
grain: order_id
*/
select
    order_id,
    apar_id as supplier_id,
    order_date as ordered_on,
    amount as net,
    case
        -- New and ordered: more may still be charged to both.
        when status in ('N', 'O') then 'open'
        when status = 'F' then 'closed'
        when status = 'C' then 'cancelled'
    end as status
from raw.purchase_order
