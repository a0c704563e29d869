/*
One row per Crown DMS record of time and attendance.
grain: activity_id
*/
select
    cast(rec_no as text) as activity_id,
    collar as collar_no,
    -- The force's own code; reference.activity_type says what it means.
    upper(trim(code)) as activity_type,
    duty_date,
    clock_in as started_at,
    clock_out as ended_at,
    minutes,
    fin_code as charged_to
from raw.attendance
