/*
One row per Unit4 general ledger transaction.
grain: journal_no, line_no
*/
select
    voucher_no as journal_no,
    sequence_no as line_no,
    -- A period is ccyypp. Anything else becomes null and fails the not_null check, with the line
    -- to look at, instead of stopping every line of the source.
    try_cast(substr(period, 1, 4) as bigint) as fin_year,
    try_cast(substr(period, 5) as bigint) as period,
    last_update as posted_at,
    voucher_date as transaction_date,
    account,
    dim_1 as cost_centre,
    amount,
    voucher_type as entry_source,
    description as narrative
from raw.gl_trans
-- Budgets are kept in the same table.
where voucher_type not in ('BU', 'BV')
