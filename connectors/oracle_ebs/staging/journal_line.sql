/*
One row per Oracle journal line.
grain: journal_no, line_no
*/
with

lines as (
    select
        *,
        upper(substr(period_name, 1, 3)) as month_name,
        -- A name without a year becomes null and fails the not_null check, with the line to look
        -- at, instead of stopping every line of the source.
        2000 + try_cast(substr(period_name, 5) as bigint) as calendar_year
    from raw.gl_line
),

numbered as (
    select
        *,
        case month_name
            when 'APR' then 1
            when 'MAY' then 2
            when 'JUN' then 3
            when 'JUL' then 4
            when 'AUG' then 5
            when 'SEP' then 6
            when 'OCT' then 7
            when 'NOV' then 8
            when 'DEC' then 9
            when 'JAN' then 10
            when 'FEB' then 11
            when 'MAR' then 12
            -- The adjustment period that follows March and bears its year.
            when 'ADJ' then 13
        end as period
    from lines
)

select
    cast(je_header_id as text) as journal_no,
    je_line_num as line_no,
    -- A financial year is called after the April in which it starts.
    case
        when period <= 9 then calendar_year
        when period > 9 then calendar_year - 1
    end as fin_year,
    cast(period as bigint) as period,
    posted_at,
    effective_date as transaction_date,
    account,
    cost_centre,
    cast(coalesce(entered_dr, 0) - coalesce(entered_cr, 0) as decimal(18, 2)) as amount,
    je_source as entry_source,
    description as narrative
from numbered
