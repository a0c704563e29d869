/*
One row per iTrent absence, cancelled ones included.
grain: absence_id
*/
select
    absence_id,
    assignment_no as employment_id,
    -- The force's own code; reference.absence_type says what it means.
    upper(trim(type)) as absence_type,
    reason_l1 as reason,
    start_date as started_on,
    end_date as ended_on,
    hours_lost,
    days_lost,
    status = 'CANCELLED' as is_cancelled
from raw.absence
