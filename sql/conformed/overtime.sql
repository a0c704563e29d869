/*
One row per force and claim for overtime, a worked rest day, a recall or on-call time.
grain: force, claim_id
scope: force
columns:
  claim_id: the claim's number in the duty system
  collar_no: collar number that claimed
  employment_id: employment that held the collar number on the day worked; empty if none did
  worked_on: day that was worked
  recorded_at: when the claim was recorded, UTC; claims may arrive weeks after the day
  claim_type: casual, planned, rdw (rest day worked), rdw_lt15 (with less than 15 days' notice), ph (public holiday), recall or oncall
  minutes_worked: minutes worked
  minutes_credited: minutes to be paid or given back, after the rate
  rate: multiple of plain time
  settlement: pay or toil (time off in lieu)
  status: authorised, pending or rejected
  source: the duty source that holds the claim
checks:
  unique: force, claim_id
  not_null: claim_id, collar_no, worked_on, recorded_at, claim_type, minutes_worked, minutes_credited, rate, settlement, status
  accept settlement: settlement in ('pay', 'toil')
  accept status: status in ('authorised', 'pending', 'rejected')
  accept minutes_worked: minutes_worked between 0 and 1440  (warn)
  accept employment_id: employment_id is not null  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

claims as (
    select
        claim_id,
        collar_no,
        worked_on,
        recorded_at,
        claim_type,
        minutes_worked,
        minutes_credited,
        rate,
        settlement,
        status,
        source
    from staging.overtime
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
    claims.claim_id,
    claims.collar_no,
    holders.employment_id,
    claims.worked_on,
    claims.recorded_at,
    claims.claim_type,
    claims.minutes_worked,
    claims.minutes_credited,
    claims.rate,
    claims.settlement,
    claims.status,
    claims.source
from claims
left join holders
    on claims.collar_no = holders.collar_no
    and claims.worked_on >= holders.held_from
    and claims.worked_on < holders.held_to
