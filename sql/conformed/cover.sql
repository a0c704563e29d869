/*
One row per force, unit, duty date, band of hours, rank and skill: the fewest people who must be on duty.
grain: force, unit_code, duty_date, starts_minute, ends_minute, grade, skill
scope: force
columns:
  unit_code: unit as the duty system knows it
  duty_date: day to which the band belongs, also after midnight
  starts_minute: minutes from midnight of the duty date to the band's beginning; empty when the band cannot be read
  ends_minute: minutes from midnight of the duty date to the band's end; more than 1440 on the day after
  rank_code: Home Office rank by reference.rank_map; any when every rank counts, unmapped when the grade is not listed there
  grade: rank as the duty system writes it; any when every rank counts
  skill: skill that counts; any when none is asked for
  required: fewest people
  source: the duty source that holds the minimum
checks:
  unique: force, unit_code, duty_date, starts_minute, ends_minute, grade, skill
  not_null: unit_code, duty_date, rank_code, grade, skill, required
  accept band: starts_minute is not null and ends_minute - starts_minute between 1 and 1440  (warn)
  accept band_end: ends_minute is not null  (warn)
  accept required: required >= 0  (warn)
  accept rank_code: rank_code <> 'unmapped'  (warn)
*/
with

minimums as (
    select
        unit_code,
        duty_date,
        starts_minute,
        ends_minute,
        grade,
        skill,
        required,
        source
    from staging.cover
),

rank_map as (
    select grade, rank_code
    from reference.rank_map
)

select
    minimums.unit_code,
    minimums.duty_date,
    minimums.starts_minute,
    minimums.ends_minute,
    case when minimums.grade = 'any' then 'any' else coalesce(rank_map.rank_code, 'unmapped') end as rank_code,
    minimums.grade,
    minimums.skill,
    minimums.required,
    minimums.source
from minimums
left join rank_map on minimums.grade = rank_map.grade
