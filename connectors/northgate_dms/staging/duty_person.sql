/*
One row per spell in which a Northgate collar number belonged to an employment.
grain: collar_no, held_from, employment_id
*/
select
    collar_no,
    payroll_no as employment_id,
    joined as held_from,
    -- The vendor's last day is included, ours is not; blank means still serving.
    coalesce(left_on + interval '1 day', date '9999-12-31') as held_to
from raw.person
