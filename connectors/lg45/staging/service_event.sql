/*
One row per event of an LG45 case.
grain: event_id
*/
select
    case_no || '/' || cast(seq as varchar) as event_id,
    case_no as request_id,
    upper(replace(trim(coalesce(status, event_type)), ' ', '_')) as status,
    event_ts as occurred_at,
    _loaded_at as received_at,
    actor
from raw.case_event
