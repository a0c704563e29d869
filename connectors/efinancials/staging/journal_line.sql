/*
One row per eFinancials journal line.
grain: journal_no, line_no
*/
select
    journal_no,
    line_no,
    -- A period is ccyypp. Anything else becomes null and fails the not_null check, with the line
    -- to look at, instead of stopping every line of the source.
    try_cast(substr(period, 1, 4) as bigint) as fin_year,
    try_cast(substr(period, 5) as bigint) as period,
    posted_ts as posted_at,
    trans_date as transaction_date,
    account,
    cost_centre,
    amount,
    source as entry_source,
    narrative
from raw.gl_trans
