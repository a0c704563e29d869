/*
One row per line of an Oracle purchase order, in its present revision.
grain: order_id, revision, line_no
*/
select
    cast(lines.po_header_id as text) as order_id,
    coalesce(orders.revision_num, 0) as revision,
    lines.line_num as line_no,
    cast(orders.vendor_id as text) as supplier_id,
    cast(orders.creation_date at time zone 'Europe/London' as date) as ordered_on,
    cast(null as date) as required_on,
    cast(null as text) as requested_by,
    lines.quantity,
    lines.unit_price,
    cast(lines.quantity * lines.unit_price as decimal(18, 2)) as net,
    -- Received and billed quantities are kept with the shipments and distributions.
    cast(null as decimal(18, 4)) as received_quantity,
    cast(null as decimal(18, 4)) as invoiced_quantity,
    cast(null as text) as account,
    cast(null as text) as cost_centre,
    case
        when orders.cancel_flag or lines.cancel_flag then 'cancelled'
        when upper(coalesce(lines.closed_code, orders.closed_code)) in ('CLOSED', 'FINALLY CLOSED') then 'closed'
        else 'open'
    end as status
from raw.po_line as lines
inner join raw.po_header as orders on lines.po_header_id = orders.po_header_id
