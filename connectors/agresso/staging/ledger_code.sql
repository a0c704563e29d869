/*
One row per Agresso account, with its CIPFA subjective group.
grain: account
*/
select
    account,
    nullif(trim(cipfa), '') as subjective_code
from raw.gl_code
