/*
One row per line of a Fusion payslip; what a later run takes back and pays again stands as it was paid.
grain: pay_run_id, employment_id, line_no
*/
select
    cast(payroll_action_id as text) as pay_run_id,
    assignment_number as employment_id,
    run_result_id as line_no,
    element_code,
    element_name,
    case
        when classification = 'Standard Earnings' then 'BASIC'
        when classification = 'Supplemental Earnings' and upper(element_name) like '%OVERTIME%' then 'OVERTIME'
        when classification = 'Supplemental Earnings' then 'ALLOWANCE'
        when classification = 'Direct Payments' then 'EXPENSE'
        when classification like '%Deductions' then 'DEDUCTION'
        when classification = 'Employer Charges' then 'ERS'
        else upper(classification)
    end as pay_category,
    payment_date as paid_on,
    -- A tax year is called after the 6 April on which it begins.
    cast(
        case
            when to_char(payment_date, '%m-%d') >= '04-06' then date_part('year', payment_date)
            else date_part('year', payment_date) - 1
        end as bigint
    ) as tax_year,
    tax_period,
    units,
    rate,
    pay_value as amount,
    cost_centre,
    account,
    start_date as earned_from,
    -- The vendor's last day is included, ours is not.
    end_date + interval '1 day' as earned_to,
    entry_type = 'R' as is_retro
from raw.pay_run_result
