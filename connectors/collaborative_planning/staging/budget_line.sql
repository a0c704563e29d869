/*
One row per Collaborative Planning version, code and period.
grain: version_id, account, cost_centre, project, period
*/
with

-- The months stand side by side; each becomes a row.
months as (
    select
        version_id,
        account,
        cost_centre,
        project,
        unnest([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]) as period,
        unnest([
            period_01, period_02, period_03, period_04, period_05, period_06, period_07,
            period_08, period_09, period_10, period_11, period_12, period_13
        ]) as amount
    from raw.line
)

select
    months.version_id,
    months.account,
    months.cost_centre,
    months.project,
    versions.fin_year,
    months.period,
    -- Several lines may plan one code: a post each, an activity each.
    cast(sum(months.amount) as decimal(18, 2)) as amount
from months
-- A line without its version has no year, and is held back for it.
left join raw.version as versions on months.version_id = versions.version_id
where months.amount is not null
group by
    months.version_id,
    months.account,
    months.cost_centre,
    months.project,
    versions.fin_year,
    months.period
