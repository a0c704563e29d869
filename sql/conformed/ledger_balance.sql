/*
What a force's ledger holds on a code in a period, as the ledger itself adds it up.
grain: force, source, balance_type, account, cost_centre, fin_year, period
scope: force
columns:
  balance_type: actual (posted), budget, commitment (ordered and not yet invoiced) or opening (brought forward)
  account: the ledger account
  cost_centre: the cost centre charged
  fin_year: the calendar year in which the financial year starts; 2024 is 2024/25
  period: the accounting period; 1 is April, 12 is March, 0 is opening balances, 13 and 14 are year-end adjustments
  subjective: the consolidated heading (reference.subjective); unmapped when the hub does not know the account or its ledger's own heading
  amount: pounds of movement in the period; a debit is positive
  source: the ledger of this force that the row came from
checks:
  unique: force, source, balance_type, account, cost_centre, fin_year, period
  not_null: balance_type, account, cost_centre, fin_year, period, amount
  accept balance_type: balance_type in ('actual', 'budget', 'commitment', 'opening')
  accept period: period between 0 and 14
  relate subjective: reference.subjective.code
*/
select
    balances.balance_type,
    balances.account,
    balances.cost_centre,
    balances.fin_year,
    balances.period,
    coalesce(headings.subjective, 'unmapped') as subjective,
    balances.amount,
    balances.source
from staging.ledger_balance as balances
left join staging.ledger_code as ledger_codes
    on balances.source = ledger_codes.source
    and balances.account = ledger_codes.account
left join reference.subjective_map as headings
    on ledger_codes.subjective_code = headings.vendor_text
