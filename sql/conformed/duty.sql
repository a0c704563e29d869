/*
One row per force, collar number, duty date and segment of duty: what was planned and what was worked.
grain: force, collar_no, duty_date, segment
scope: force
columns:
  collar_no: collar number on duty; numbers are handed on, so read employment_id to know whose duty it was
  duty_date: day the duty began, also for shifts that end after midnight
  segment: part of the duty, 1 for the first
  employment_id: employment that held the collar number on the duty date; empty if none did
  shift_code: shift as the duty system names it
  is_rest_day: whether the day was a rostered rest day
  planned_start: planned start, UTC
  planned_end: planned end, UTC
  worked_start: actual start, UTC
  worked_end: actual end, UTC
  planned_minutes: minutes from planned start to planned end; 0 without a plan
  worked_minutes: minutes from actual start to actual end less the break; 0 if not worked
  source: the duty source that holds the duty
checks:
  unique: force, collar_no, duty_date, segment
  not_null: collar_no, duty_date, segment, is_rest_day, planned_minutes, worked_minutes
  accept planned_minutes: planned_minutes >= 0  (warn)
  accept worked_minutes: worked_minutes between 0 and 1440  (warn)
  accept employment_id: employment_id is not null  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

duties as (
    select
        collar_no,
        duty_date,
        segment,
        shift_code,
        is_rest_day,
        planned_start,
        planned_end,
        worked_start,
        worked_end,
        -- Minutes between instants, so a night over a clock change has the hours it really had.
        (to_unixtime(planned_end) - to_unixtime(planned_start)) / 60 as planned_minutes,
        (to_unixtime(worked_end) - to_unixtime(worked_start)) / 60
            - coalesce(break_minutes, 0) as worked_minutes,
        source
    from staging.duty
),

holders as (
    select
        collar_no,
        employment_id,
        held_from,
        -- A number that was handed on before its holder was closed belongs to the later one.
        least(
            held_to,
            lead(held_from) over (partition by collar_no order by held_from, held_to, employment_id)
        ) as held_to
    from staging.duty_person
)

select
    duties.collar_no,
    duties.duty_date,
    duties.segment,
    holders.employment_id,
    duties.shift_code,
    duties.is_rest_day,
    duties.planned_start,
    duties.planned_end,
    duties.worked_start,
    duties.worked_end,
    coalesce(duties.planned_minutes, 0) as planned_minutes,
    coalesce(duties.worked_minutes, 0) as worked_minutes,
    duties.source
from duties
left join holders
    on duties.collar_no = holders.collar_no
    and duties.duty_date >= holders.held_from
    and duties.duty_date < holders.held_to
