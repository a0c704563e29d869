/*
One row per force, employment and period in which its terms did not change; periods of one employment never overlap.
grain: force, employment_id, valid_from
scope: force
columns:
  employment_id: the assignment number, as payroll and duty systems quote it
  person_id: the person's number in the same HR system; one person may hold several employments
  post_title: title of the post
  unit_code: organisational unit
  cost_centre: cost centre that pays
  worker_type: police officer, pcso, police staff, special constable or (at a department) civil servant
  rank_code: Home Office rank by reference.rank_map; unmapped when the grade is not listed there
  grade: rank or pay grade as the HR system writes it
  contracted_hours: contracted hours per week
  fte: full-time equivalent, 1 is full time
  valid_from: first day of the period
  valid_to: day after the last day of the period; 9999-12-31 while open
  source: the HR source that holds the employment
checks:
  unique: force, employment_id, valid_from
  not_null: employment_id, person_id, worker_type, rank_code, fte, valid_from, valid_to
  accept worker_type: worker_type in ('police officer', 'pcso', 'police staff', 'special constable', 'civil servant')
  accept fte: fte between 0 and 1.5
  accept valid_to: valid_from < valid_to
  accept rank_code: rank_code <> 'unmapped'  (warn)
  relate rank_code: reference.rank.code  (warn)
  relate person_id: conformed.person.person_id  (warn)
*/
with

employments as (
    select
        employment_id,
        person_id,
        post_title,
        unit_code,
        cost_centre,
        worker_type,
        grade,
        contracted_hours,
        fte,
        valid_from,
        -- A back-dated change leaves the period before it open: the later start ends it.
        least(
            valid_to,
            case
                when lead(employment_id) over sorted = employment_id
                    then lead(valid_from) over sorted
            end
        ) as valid_to,
        source
    from staging.employment
    -- One window over all rows: a window of its own for each employment, which mostly has one
    -- period, would take several times as long.
    window sorted as (order by employment_id, valid_from, changed_at)
),

rank_map as (
    select grade, rank_code
    from reference.rank_map
)

select
    employments.employment_id,
    employments.person_id,
    employments.post_title,
    employments.unit_code,
    employments.cost_centre,
    employments.worker_type,
    coalesce(rank_map.rank_code, 'unmapped') as rank_code,
    employments.grade,
    employments.contracted_hours,
    employments.fte,
    employments.valid_from,
    employments.valid_to,
    employments.source
from employments
left join rank_map on employments.grade = rank_map.grade
where employments.valid_from < employments.valid_to
