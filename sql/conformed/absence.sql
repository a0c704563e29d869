/*
One row per force and absence that was not cancelled.
grain: force, absence_id
scope: force
columns:
  absence_id: the absence's number in the HR system
  employment_id: the employment that was absent
  absence_type: sickness, maternity or other, by reference.absence_type
  reason: reason as recorded; health data  [pii]
  started_on: first day of absence
  ended_on: last day of absence; empty while absent
  hours_lost: contracted hours lost
  days_lost: working days lost
  source: the HR source that holds the absence
checks:
  unique: force, absence_id
  not_null: absence_id, employment_id, absence_type, started_on
  accept absence_type: absence_type in ('sickness', 'maternity', 'other')
  accept ended_on: started_on <= ended_on  (warn)
  accept hours_lost: hours_lost >= 0  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

absences as (
    select
        absence_id,
        employment_id,
        absence_type,
        reason,
        started_on,
        ended_on,
        hours_lost,
        days_lost,
        source
    from staging.absence
    where not is_cancelled
),

absence_types as (
    select vendor_code, absence_type
    from reference.absence_type
)

select
    absences.absence_id,
    absences.employment_id,
    -- Forces add codes of their own; until the list knows them they are absences all the same.
    coalesce(absence_types.absence_type, 'other') as absence_type,
    absences.reason,
    absences.started_on,
    absences.ended_on,
    absences.hours_lost,
    absences.days_lost,
    absences.source
from absences
left join absence_types on absences.absence_type = absence_types.vendor_code
