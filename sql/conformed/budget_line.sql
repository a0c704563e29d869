/*
What a version of a force's budget or forecast gives a code in a period.
grain: force, source, version_id, account, cost_centre, project, period
scope: force
columns:
  version_id: the version (conformed.budget_version of the same source)
  account: the ledger account
  cost_centre: the cost centre that may spend
  project: the project; empty where the line is for none
  fin_year: the calendar year in which the financial year starts; 2024 is 2024/25
  period: the accounting period; 1 is April, 12 is March, 13 and 14 are year-end adjustments
  subjective: the consolidated heading (reference.subjective); unmapped when no ledger of the force knows the account, or two of them disagree
  amount: pounds; spending is positive, income negative
  source: the planning system or ledger of this force that the row came from
checks:
  unique: force, source, version_id, account, cost_centre, project, period
  not_null: version_id, account, cost_centre, fin_year, period, amount
  accept period: period between 1 and 14
  relate version_id: conformed.budget_version.version_id      (warn)
  relate subjective: reference.subjective.code
*/
with

-- A planning system is no ledger: its accounts are those of the force's ledgers.
accounts as (
    select
        ledger_codes.account,
        case
            when min(headings.subjective) = max(headings.subjective) then min(headings.subjective)
        end as subjective
    from staging.ledger_code as ledger_codes
    left join reference.subjective_map as headings
        on ledger_codes.subjective_code = headings.vendor_text
    group by ledger_codes.account
)

select
    lines.version_id,
    lines.account,
    lines.cost_centre,
    lines.project,
    lines.fin_year,
    lines.period,
    coalesce(accounts.subjective, 'unmapped') as subjective,
    lines.amount,
    lines.source
from staging.budget_line as lines
left join accounts on lines.account = accounts.account
