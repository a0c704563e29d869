/*
One row per eFinancials supplier.
grain: supplier_id
*/
select
    supplier_id,
    trim(name) as name,
    nullif(upper(trim(postcode)), '') as postcode,
    -- Clerks type VAT numbers with and without blanks.
    nullif(upper(regexp_replace(vat_reg, '\s', '', 'g')), '') as vat_number,
    case status
        when 'A' then 'active'
        when 'H' then 'held'
        when 'X' then 'closed'
    end as status,
    nullif(trim(merged_into), '') as merged_into
from raw.supplier
