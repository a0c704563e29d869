/*
One row per Oracle account, with the natural class of its code combinations.
grain: account
*/
with

codes as (
    select segment_account as account, natural_class from raw.gl_code
    union all
    select segment3 as account, attribute1 as natural_class from raw.gl_code_combination
)

select
    account,
    -- The class hangs on account and cost centre; all cost centres of an account share it.
    min(nullif(trim(natural_class), '')) as subjective_code
from codes
group by account
