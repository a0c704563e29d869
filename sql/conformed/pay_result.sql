/*
One row per force, pay run, employment and line of the payslip, as it was paid.
grain: force, pay_run_id, employment_id, line_no
scope: force
columns:
  pay_run_id: the pay run
  employment_id: the employment that is paid
  line_no: line of the payslip
  element_code: pay element as payroll codes it
  element_name: pay element in words; empty when payroll's own list does not know the code
  pay_category: basic, overtime, allowance, expense, deduction or on-cost, by reference.pay_category; unmapped when it is not listed there
  paid_on: day of payment
  tax_year: tax year, named by the year in which it starts (2025 is 6 April 2025 to 5 April 2026); not the financial year
  tax_period: month or week of the tax year
  units: hours, days or miles that are paid
  rate: pounds a unit
  amount: pounds; what is taken back is negative
  cost_centre: cost centre that pays
  account: subjective account
  earned_from: first day on which the money was earned; empty when payroll does not say
  earned_to: day after the last day on which it was earned
  is_retro: whether the line puts an earlier run right: the wrong amount taken back, or the right one paid
  source: the payroll source that holds the line
checks:
  unique: force, pay_run_id, employment_id, line_no
  not_null: pay_run_id, employment_id, line_no, element_code, pay_category, paid_on, tax_year, tax_period, amount, is_retro
  accept earned_to: earned_from < earned_to  (warn)
  accept retro: not is_retro or earned_to <= paid_on  (warn)
  accept tax_period: tax_period between 1 and 56  (warn)
  accept pay_category: pay_category <> 'unmapped'  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

results as (
    select
        pay_run_id,
        employment_id,
        line_no,
        element_code,
        element_name,
        pay_category,
        paid_on,
        tax_year,
        tax_period,
        units,
        rate,
        amount,
        cost_centre,
        account,
        earned_from,
        earned_to,
        is_retro,
        source
    from staging.pay_result
),

pay_categories as (
    select vendor_code, pay_category
    from reference.pay_category
)

select
    results.pay_run_id,
    results.employment_id,
    results.line_no,
    results.element_code,
    results.element_name,
    coalesce(pay_categories.pay_category, 'unmapped') as pay_category,
    results.paid_on,
    results.tax_year,
    results.tax_period,
    results.units,
    results.rate,
    results.amount,
    results.cost_centre,
    results.account,
    results.earned_from,
    results.earned_to,
    results.is_retro,
    results.source
from results
left join pay_categories on results.pay_category = pay_categories.vendor_code
