/*
One row per Oracle journal line.
grain: journal_no, line_no
*/
with

lines as (
    select
        cast(lines.je_header_id as text) as journal_no,
        lines.je_line_num as line_no,
        headers.period_name,
        headers.posted_date as posted_at,
        lines.effective_date as transaction_date,
        -- A code that the extract no longer has is shown by its number.
        coalesce(codes.segment3, cast(lines.code_combination_id as text)) as account,
        codes.segment2 as cost_centre,
        lines.accounted_dr as debit,
        lines.accounted_cr as credit,
        headers.je_source as entry_source,
        lines.description as narrative
    from raw.gl_je_line as lines
    inner join raw.gl_je_header as headers on lines.je_header_id = headers.je_header_id
    left join raw.gl_code_combination as codes on lines.code_combination_id = codes.code_combination_id
    -- Budgets and encumbrances are kept in the same tables, and so is what is not posted yet.
    where headers.actual_flag = 'A' and headers.status = 'P'
),

split as (
    select
        *,
        -- The last one is the adjustment period that follows March and bears its year.
        cast(array_position(
            ['APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC', 'JAN', 'FEB', 'MAR', 'ADJ'],
            upper(substr(period_name, 1, 3))
        ) as bigint) as period,
        -- A name without a year becomes null and fails the not_null check, with the line to look
        -- at, instead of stopping every line of the source.
        2000 + try_cast(substr(period_name, 5) as bigint) as calendar_year
    from lines
)

select
    journal_no,
    line_no,
    -- A financial year is called after the April in which it starts.
    case
        when period <= 9 then calendar_year
        when period > 9 then calendar_year - 1
    end as fin_year,
    period,
    posted_at,
    transaction_date,
    account,
    cost_centre,
    cast(coalesce(debit, 0) - coalesce(credit, 0) as decimal(18, 2)) as amount,
    entry_source,
    narrative
from split
