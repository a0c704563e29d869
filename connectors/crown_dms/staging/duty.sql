/*
One row per Crown DMS shift: the plan beside what was worked.
grain: collar_no, duty_date, segment
*/
select
    collar as collar_no,
    duty_date,
    seq as segment,
    shift_code,
    rest_day as is_rest_day,
    plan_start as planned_start,
    plan_end as planned_end,
    act_start as worked_start,
    act_end as worked_end,
    break_mins as break_minutes
from raw.shift
