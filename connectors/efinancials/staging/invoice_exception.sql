/*
One row per dispute or hold on an eFinancials invoice.
grain: document_id, exception_no
*/
with

stops as (
    select doc_no, 'disputed' as code, dispute_date as opened_on, cast(null as text) as resolution, gross
    from raw.invoice
    where dispute_flag
    union all
    -- A hold bears no date. Its code is the site's own, and says why.
    select doc_no, 'held' as code, cast(null as date) as opened_on, hold_code as resolution, gross
    from raw.invoice
    where hold_code is not null
)

select
    doc_no as document_id,
    cast(row_number() over (partition by doc_no order by code) as bigint) as exception_no,
    code,
    -- The ledger keeps the day only.
    arrow_cast(opened_on, 'Timestamp(Microsecond, Some("UTC"))') as opened_at,
    -- What is settled loses its flag, and leaves this table.
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as closed_at,
    resolution,
    cast(null as text) as owner,
    gross as value
from stops
