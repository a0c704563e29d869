/*
One row per Oracle account, with the natural class of its code combinations.
grain: account
*/
select
    segment_account as account,
    -- The class hangs on account and cost centre; all cost centres of an account share it.
    min(nullif(trim(natural_class), '')) as subjective_code
from raw.gl_code
group by segment_account
