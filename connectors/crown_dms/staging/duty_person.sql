/*
One row per spell in which a Crown DMS collar number belonged to an employment.
grain: collar_no, held_from, employment_id
*/
select
    collar as collar_no,
    assignment as employment_id,
    from_date as held_from,
    -- The vendor's last day is included, ours is not; blank means still serving.
    coalesce(to_date + interval '1 day', date '9999-12-31') as held_to
from raw.employee
