/*
One row per step of a document in Proactis.
grain: document_id, event_no
*/
select
    doc_id as document_id,
    seq as event_no,
    case status
        when 'QUERY' then 'queried'
        when 'APPROVAL' then 'in approval'
        else lower(status)
    end as status,
    ts as happened_at,
    actor
from raw.status_event
