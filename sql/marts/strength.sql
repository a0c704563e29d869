/*
One row per force, month end, worker type and rank: how many people were in post on the last day of the month.
grain: force, month_end, worker_type, rank_code
scope: force
columns:
  fin_year: financial year of the month, named by the year in which it starts (2024 is 1 April 2024 to 31 March 2025)
  month_end: last day of the month, the day that is counted
  worker_type: police officer, pcso, police staff or special constable
  rank_code: Home Office rank, see reference.rank; unmapped when the grade is not in reference.rank_map
  headcount: people in post; a person with two posts of the same type and rank counts once
  fte: full-time equivalents in post; special constables are volunteers and have none
checks:
  unique: force, month_end, worker_type, rank_code
  not_null: fin_year, month_end, worker_type, rank_code, headcount, fte
  accept headcount: headcount > 0
  accept rank_code: rank_code <> 'unmapped'  (warn)
*/
with

employments as (
    select
        person_id,
        worker_type,
        rank_code,
        case when worker_type = 'special constable' then 0 else fte end as fte,
        valid_from,
        valid_to
    from conformed.employment
),

months as (
    select
        cast(fin_year as bigint) as fin_year,
        cast(month_end as date) as month_end
    from reference.reporting_month
)

select
    months.fin_year,
    months.month_end,
    employments.worker_type,
    employments.rank_code,
    count(distinct employments.person_id) as headcount,
    cast(sum(employments.fte) as decimal(18, 4)) as fte
from months
inner join employments
    on employments.valid_from <= months.month_end
    and months.month_end < employments.valid_to
group by
    months.fin_year,
    months.month_end,
    employments.worker_type,
    employments.rank_code
