/*
One row per value of a part of an eFinancials code.
grain: element, value
*/
select
    case element_no
        when 1 then 'account'
        when 2 then 'cost_centre'
        when 3 then 'project'
        when 4 then 'analysis'
        else 'element ' || cast(element_no as text)
    end as element,
    element_value as value,
    parent_value as parent,
    level,
    trim(description) as description,
    status = 'O' as is_open
from raw.element
