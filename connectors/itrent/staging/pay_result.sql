/*
One row per line of an iTrent payslip; what a later run takes back and pays again stands as it was paid.
grain: pay_run_id, employment_id, line_no
*/
select
    results.pay_run as pay_run_id,
    results.assignment_no as employment_id,
    results.line_no,
    results.element_code,
    elements.name as element_name,
    -- The force's own word; reference.pay_category says what it means.
    upper(trim(elements.category)) as pay_category,
    results.pay_date as paid_on,
    -- 2025/26 is the tax year that begins in 2025.
    cast(left(results.tax_year, 4) as bigint) as tax_year,
    results.tax_period,
    results.units,
    results.rate,
    results.amount,
    results.cost_centre,
    coalesce(results.account, elements.gl_account) as account,
    results.worked_from as earned_from,
    -- The vendor's last day is included, ours is not.
    results.worked_to + interval '1 day' as earned_to,
    results.retro_flag as is_retro
from raw.pay_result as results
left join raw.element as elements on results.element_code = elements.code
