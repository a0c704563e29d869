/*
One row per eFinancials account, with the subjective heading of its ledger codes.
grain: account
*/
select
    account,
    -- The heading hangs on account and cost centre; all cost centres of an account share it.
    min(nullif(trim(subjective), '')) as subjective_code
from raw.gl_code
group by account
