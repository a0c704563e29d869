/*
One row per iTrent booking of leave, whatever became of it.
grain: leave_id
*/
select
    leave_id,
    assignment_no as employment_id,
    -- The force's own code; reference.leave_type says what it means.
    upper(trim(type)) as leave_type,
    start_date as started_on,
    end_date as ended_on,
    coalesce(start_half = 'PM', false) as starts_at_midday,
    coalesce(end_half = 'AM', false) as ends_at_midday,
    days,
    hours,
    lower(status) as status
from raw.leave
