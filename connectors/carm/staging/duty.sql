/*
One row per CARM roster segment or booking: the plan beside what was worked.
grain: collar_no, duty_date, segment
*/
with

rosters as (
    select
        collar_no,
        duty_date,
        segment,
        shift_code,
        is_rest_day,
        plan_start,
        plan_end
    from raw.roster
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
