/*
One row per force, month end and worker type: hours planned and worked on duty, and overtime claimed.
grain: force, month_end, worker_type
scope: force
columns:
  month_end: last day of the month in which the duties began
  worker_type: worker type of the employment on the day; unknown when nobody in post held the collar number
  planned_hours: hours planned
  worked_hours: hours worked, without breaks
  rest_days_worked: rest days on which somebody worked, counted once per collar number and day
  overtime_hours: hours worked on authorised claims, by the day worked
checks:
  unique: force, month_end, worker_type
  not_null: month_end, worker_type, planned_hours, worked_hours, rest_days_worked, overtime_hours
  accept worker_type: worker_type <> 'unknown'  (warn)
*/
with

employments as (
    select employment_id, worker_type, valid_from, valid_to
    from conformed.employment
),

months as (
    select
        cast(month_start as date) as month_start,
        cast(month_end as date) as month_end
    from reference.reporting_month
),

-- Duties and claims under one another, because either may be there without the other.
entries as (
    select
        employment_id,
        duty_date as worked_on,
        planned_minutes,
        worked_minutes,
        case when is_rest_day and worked_minutes > 0 then collar_no end as rest_day_collar_no,
        0 as overtime_minutes
    from conformed.duty
    union all
    select employment_id, worked_on, 0, 0, null, minutes_worked
    from conformed.overtime
    where status = 'authorised'
),

-- Days first: the months then meet a few hundred rows a worker type instead of every duty.
days as (
    select
        entries.worked_on,
        coalesce(employments.worker_type, 'unknown') as worker_type,
        sum(entries.planned_minutes) as planned_minutes,
        sum(entries.worked_minutes) as worked_minutes,
        count(distinct entries.rest_day_collar_no) as rest_days_worked,
        sum(entries.overtime_minutes) as overtime_minutes
    from entries
    left join employments
        on entries.employment_id = employments.employment_id
        and entries.worked_on >= employments.valid_from
        and entries.worked_on < employments.valid_to
    group by entries.worked_on, coalesce(employments.worker_type, 'unknown')
)

-- Minutes stay whole until here: hours are rounded once, half up, never summed after rounding.
select
    months.month_end,
    days.worker_type,
    cast(round(cast(sum(days.planned_minutes) as decimal(28, 6)) / 60, 2) as decimal(18, 2)) as planned_hours,
    cast(round(cast(sum(days.worked_minutes) as decimal(28, 6)) / 60, 2) as decimal(18, 2)) as worked_hours,
    cast(sum(days.rest_days_worked) as bigint) as rest_days_worked,
    cast(round(cast(sum(days.overtime_minutes) as decimal(28, 6)) / 60, 2) as decimal(18, 2)) as overtime_hours
from days
inner join months on days.worked_on between months.month_start and months.month_end
group by months.month_end, days.worker_type
