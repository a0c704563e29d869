/*
What a force spent and earned: one row per force, period and subjective heading.
grain: force, fin_year, period, subjective
scope: force
columns:
  fin_year: the calendar year in which the financial year starts; 2024 is 2024/25
  period: the accounting period; 1 is April, 12 is March, 0 is opening balances, 13 and 14 are year-end adjustments
  subjective: the consolidated heading (reference.subjective), or unmapped
  amount: pounds posted to the heading in the period; spending is positive, income negative
  late_amount: the part of it that was posted more than five days after the month had ended
  lines: the number of journal lines behind the amount
checks:
  unique: force, fin_year, period, subjective
  not_null: fin_year, period, subjective, amount, late_amount, lines
  relate subjective: reference.subjective.code
*/
select
    fin_year,
    period,
    subjective,
    cast(sum(amount) as decimal(18, 2)) as amount,
    cast(sum(case when is_late then amount else 0 end) as decimal(18, 2)) as late_amount,
    count(*) as lines
from conformed.journal_line
group by fin_year, period, subjective
