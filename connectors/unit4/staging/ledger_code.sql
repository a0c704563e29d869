/*
One row per Unit4 account, with its heading in the tree of CIPFA subjectives.
grain: account
*/
with

headings as (
    select
        dim_a as account,
        min(nullif(trim(cat_1), '')) as subjective_code
    from raw.tree
    -- The number of the tree that holds the CIPFA subjectives: each site has its own.
    where att_agrid = 30
    group by dim_a
)

select
    codes.account,
    headings.subjective_code
from raw.gl_code as codes
left join headings on codes.account = headings.account
