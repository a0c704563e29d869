/*
One row per eFinancials budget version, code and period, virements included.
grain: version_id, account, cost_centre, project, period
*/
with

entries as (
    select
        *,
        try_cast(substr(period, 1, 4) as bigint) as fin_year,
        try_cast(substr(period, 5) as bigint) as period_no
    from raw.budget
)

select
    -- The ledger uses the same three codes every year.
    version || '-' || cast(fin_year as text) as version_id,
    account,
    cost_centre,
    project,
    fin_year,
    period_no as period,
    cast(sum(amount) as decimal(18, 2)) as amount
from entries
group by version, account, cost_centre, project, fin_year, period_no
