/*
One row per version of a force's budget or forecast.
grain: force, source, version_id
scope: force
columns:
  version_id: the version's number in the planning system or ledger
  name: what its makers call it; names come again every year
  kind: base, working, approved, revised, forecast or scenario
  fin_year: the calendar year in which the financial year starts; 2024 is 2024/25
  as_at_period: the last period whose actual spending it takes into account; empty for a plan
  status: where it stands, in the planning system's own word
  locked_at: when it was closed to changes, in UTC; empty while it can be changed
  approved_by: who approved it  [pii]
  amount: pounds of all its periods together; spending is positive, income negative
  full_year: pounds that the planning system shows for the year; empty where it shows none; £100 or more away from amount is more than rounding
  source: the planning system or ledger of this force that the row came from
checks:
  unique: force, source, version_id
  not_null: version_id, kind, fin_year, amount
  accept kind: kind in ('base', 'working', 'approved', 'revised', 'forecast', 'scenario')
  accept locked: kind <> 'approved' or locked_at is not null      (warn)
  accept full_year: abs(full_year - amount) < 100      (warn)
*/
with

totals as (
    select
        source,
        version_id,
        sum(amount) as amount
    from staging.budget_line
    group by source, version_id
)

select
    versions.version_id,
    versions.name,
    versions.kind,
    versions.fin_year,
    versions.as_at_period,
    versions.status,
    versions.locked_at,
    versions.approved_by,
    cast(coalesce(totals.amount, 0) as decimal(18, 2)) as amount,
    versions.full_year,
    versions.source
from staging.budget_version as versions
left join totals
    on versions.source = totals.source
    and versions.version_id = totals.version_id
