/*
One row per SAP HCM absence, cancelled ones included.
grain: absence_id
*/
select
    docnr as absence_id,
    asnum as employment_id,
    -- The vendor's subtype; reference.absence_type says what it means.
    upper(trim(subty)) as absence_type,
    reason,
    begda as started_on,
    endda as ended_on,
    hours as hours_lost,
    days as days_lost,
    status = 'X' as is_cancelled
from raw.absence
