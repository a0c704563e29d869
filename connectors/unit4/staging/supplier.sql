/*
One row per Unit4 supplier.
grain: supplier_id
*/
select
    apar_id as supplier_id,
    trim(apar_name) as name,
    nullif(upper(trim(zip_code)), '') as postcode,
    -- Clerks type VAT numbers with and without blanks.
    nullif(upper(regexp_replace(vat_reg_no, '\s', '', 'g')), '') as vat_number,
    case
        when status = 'N' then 'active'
        when status = 'P' then 'held'
        when status in ('C', 'T') then 'closed'
    end as status,
    -- The product knows no merging.
    cast(null as text) as merged_into
from raw.supplier
