/*
One row per Oracle code and period, for the budgets and encumbrances of the ledger.
grain: balance_type, account, cost_centre, fin_year, period
*/
with

split as (
    select
        headers.actual_flag,
        coalesce(codes.segment3, cast(lines.code_combination_id as text)) as account,
        coalesce(codes.segment2, '') as cost_centre,
        -- The last one is the adjustment period that follows March and bears its year.
        cast(array_position(
            ['APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC', 'JAN', 'FEB', 'MAR', 'ADJ'],
            upper(substr(headers.period_name, 1, 3))
        ) as bigint) as period,
        2000 + try_cast(substr(headers.period_name, 5) as bigint) as calendar_year,
        coalesce(lines.accounted_dr, 0) - coalesce(lines.accounted_cr, 0) as amount
    from raw.gl_je_line as lines
    inner join raw.gl_je_header as headers on lines.je_header_id = headers.je_header_id
    left join raw.gl_code_combination as codes on lines.code_combination_id = codes.code_combination_id
    where headers.actual_flag in ('B', 'E') and headers.status = 'P'
)

select
    case actual_flag
        when 'B' then 'budget'
        when 'E' then 'commitment'
    end as balance_type,
    account,
    cost_centre,
    case
        when period <= 9 then calendar_year
        when period > 9 then calendar_year - 1
    end as fin_year,
    period,
    cast(sum(amount) as decimal(18, 2)) as amount
from split
group by actual_flag, account, cost_centre, period, calendar_year
