/*
One row per value of a Unit4 attribute.
grain: element, value
*/
with

parents as (
    select
        dim_a as value,
        min(nullif(trim(cat_1), '')) as parent
    from raw.tree
    -- The tree of CIPFA subjectives, as in ledger_code.sql.
    where att_agrid = 30
    group by dim_a
)

select
    case descriptions.attribute_id
        when 'A0' then 'account'
        when 'C1' then 'cost_centre'
        when 'B0' then 'project'
        else 'attribute ' || descriptions.attribute_id
    end as element,
    descriptions.dim_value as value,
    parents.parent,
    cast(null as bigint) as level,
    nullif(trim(descriptions.description), '') as description,
    -- Only accounts have a status.
    codes.status = 'N' as is_open
from raw.description as descriptions
left join parents
    on descriptions.attribute_id = 'A0'
    and descriptions.dim_value = parents.value
left join raw.gl_code as codes
    on descriptions.attribute_id = 'A0'
    and descriptions.dim_value = codes.account
