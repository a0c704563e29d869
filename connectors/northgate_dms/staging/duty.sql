/*
One row per Northgate roster segment or booking: the plan beside what was worked.
grain: collar_no, duty_date, segment
*/
with

versions as (
    select
        *,
        -- What was published after the duty had begun corrects the record; nobody worked to it.
        published_ts > coalesce(plan_start, arrow_cast(duty_date, 'Timestamp(Microsecond, Some("UTC"))'))
            as is_late
    from raw.roster
),

-- The last version that was published in time; where all came late, the first of them.
plans as (
    select
        collar_no,
        duty_date,
        segment,
        coalesce(max(case when not coalesce(is_late, false) then version end), min(version)) as version
    from versions
    group by collar_no, duty_date, segment
),

rosters as (
    select
        versions.collar_no,
        versions.duty_date,
        versions.segment,
        versions.shift_code,
        versions.is_rest_day,
        versions.plan_start,
        versions.plan_end
    from versions
    inner join plans
        on versions.collar_no = plans.collar_no
        and versions.duty_date = plans.duty_date
        and versions.segment = plans.segment
        and versions.version = plans.version
),

bookings as (
    select
        collar_no,
        duty_date,
        segment,
        actual_start,
        actual_end,
        meal_mins
    from raw.booking
)

-- A full join: a plan that nobody booked is an absence, a booking without a plan was still worked.
select
    coalesce(rosters.collar_no, bookings.collar_no) as collar_no,
    coalesce(rosters.duty_date, bookings.duty_date) as duty_date,
    coalesce(rosters.segment, bookings.segment) as segment,
    rosters.shift_code,
    coalesce(rosters.is_rest_day, false) as is_rest_day,
    rosters.plan_start as planned_start,
    rosters.plan_end as planned_end,
    bookings.actual_start as worked_start,
    bookings.actual_end as worked_end,
    bookings.meal_mins as break_minutes
from rosters
full join bookings
    on rosters.collar_no = bookings.collar_no
    and rosters.duty_date = bookings.duty_date
    and rosters.segment = bookings.segment
