/*
One row per force and booking of leave that was asked for or granted; sickness and other absences are in absence.
grain: force, leave_id
scope: force
columns:
  leave_id: the booking's number in the HR system
  employment_id: the employment that is on leave
  leave_type: annual, public holiday, flexitime, time off in lieu, rest day in lieu, unpaid or other, by reference.leave_type
  started_on: first day of leave
  ended_on: last day of leave
  starts_at_midday: whether the first day is worked until midday
  ends_at_midday: whether the last day is worked from midday
  days: working days and half days
  hours: contracted hours by the working pattern; empty where the employment has none
  status: requested or approved
  source: the HR source that holds the booking
checks:
  unique: force, leave_id
  not_null: leave_id, employment_id, leave_type, started_on, ended_on, starts_at_midday, ends_at_midday, status
  accept status: status in ('requested', 'approved')
  accept ended_on: started_on <= ended_on  (warn)
  accept hours: hours >= 0  (warn)
  accept half_days: mod(days * 2, 1) = 0  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

bookings as (
    select
        leave_id,
        employment_id,
        leave_type,
        started_on,
        ended_on,
        starts_at_midday,
        ends_at_midday,
        days,
        hours,
        status,
        source
    from staging.leave
    where status in ('requested', 'approved')
),

leave_types as (
    select vendor_code, leave_type
    from reference.leave_type
)

select
    bookings.leave_id,
    bookings.employment_id,
    -- Forces add codes of their own; until the list knows them they are leave all the same.
    coalesce(leave_types.leave_type, 'other') as leave_type,
    bookings.started_on,
    bookings.ended_on,
    bookings.starts_at_midday,
    bookings.ends_at_midday,
    bookings.days,
    bookings.hours,
    bookings.status,
    bookings.source
from bookings
left join leave_types on bookings.leave_type = leave_types.vendor_code
