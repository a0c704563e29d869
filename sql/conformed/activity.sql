/*
One row per force and activity of somebody with a collar number: what took them from duty, or filled it.
grain: force, activity_id
scope: force
columns:
  activity_id: the activity's number in the duty system
  collar_no: collar number of the person
  employment_id: employment that held the collar number on the duty date; empty if none did
  duty_date: police day in which the activity began; the day begins at the hour in reference.duty_day
  activity_type: the activity as the duty system codes it
  activity_group: leave, sickness, training, court, secondment, rest day in lieu, restricted duty, duty or other, by reference.activity_type
  started_at: when it began, UTC
  ended_at: when it ended, UTC
  minutes: minutes that count
  charged_to: project, place or finance code to which the time is charged
  source: the duty source that holds the activity
checks:
  unique: force, activity_id
  not_null: activity_id, collar_no, duty_date, activity_type, activity_group, started_at, ended_at, minutes
  accept ended_at: started_at <= ended_at  (warn)
  accept minutes: minutes between 0 and 1440  (warn)
  accept activity_group: activity_group <> 'other'  (warn)
  accept employment_id: employment_id is not null  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

-- A force's own hour, or that of every force which names none. 07:00 is read as 07 hours 00 minutes.
day_starts as (
    select applies_to, cast(replace(starts_at, ':', ' hours ') || ' minutes' as interval) as starts_at
    from reference.duty_day
),

activities as (
    select
        activities.activity_id,
        activities.collar_no,
        -- Three in the morning still belongs to the day before.
        coalesce(
            activities.duty_date,
            cast(
                to_local_time(arrow_cast(activities.started_at, 'Timestamp(Microsecond, Some("Europe/London"))'))
                - coalesce(own.starts_at, everybody.starts_at) as date
            )
        ) as duty_date,
        activities.activity_type,
        activities.started_at,
        activities.ended_at,
        activities.minutes,
        activities.charged_to,
        activities.source
    from staging.activity as activities
    left join day_starts as own on activities.force = own.applies_to
    left join day_starts as everybody on everybody.applies_to = '*'
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
),

activity_types as (
    select vendor_code, activity_group
    from reference.activity_type
)

select
    activities.activity_id,
    activities.collar_no,
    holders.employment_id,
    activities.duty_date,
    activities.activity_type,
    -- Forces add codes of their own; until the list knows them they are activities all the same.
    coalesce(activity_types.activity_group, 'other') as activity_group,
    activities.started_at,
    activities.ended_at,
    activities.minutes,
    activities.charged_to,
    activities.source
from activities
left join holders
    on activities.collar_no = holders.collar_no
    and activities.duty_date >= holders.held_from
    and activities.duty_date < holders.held_to
left join activity_types on activities.activity_type = activity_types.vendor_code
