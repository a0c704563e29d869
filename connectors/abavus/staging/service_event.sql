/*
One row per Abavus status event.
grain: event_id
*/
select
    guid as event_id,
    number as request_id,
    regexp_replace(status, '^FMS_-_|_[0-9]+_[A-Z]$', '', 'g') as status,
    -- The vendor does not say when it happened.
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as occurred_at,
    received_at,
    cast(null as varchar) as actor
from raw.status_event
