/*
One row per Oracle account, with the heading that its code combinations carry in their flexfield.
grain: account
*/
select
    segment3 as account,
    -- The heading hangs on the whole code; all codes of an account share it.
    min(nullif(trim(attribute1), '')) as subjective_code
from raw.gl_code_combination
group by segment3
