/*
One row per Northgate activity.
grain: activity_id
*/
select
    cast(activity_id as text) as activity_id,
    collar_no,
    -- The force's own code; reference.activity_type says what it means.
    upper(trim(activity_code)) as activity_type,
    -- The vendor gives no duty day: the hub derives it from the hour at which the force's day begins.
    cast(null as date) as duty_date,
    start_ts as started_at,
    end_ts as ended_at,
    -- Credited hours are 7:30 or 7.5; what is neither counts from start to end.
    coalesce(
        case
            when hours like '%:%' then
                try_cast(split_part(hours, ':', 1) as bigint) * 60
                + try_cast(split_part(hours, ':', 2) as bigint)
            else cast(round(try_cast(hours as decimal(18, 4)) * 60) as bigint)
        end,
        (to_unixtime(end_ts) - to_unixtime(start_ts)) / 60
    ) as minutes,
    project_loc as charged_to
from raw.activity
