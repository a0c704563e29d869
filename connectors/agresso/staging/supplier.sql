/*
One row per Agresso supplier.
grain: supplier_id
*/
select
    apar_id as supplier_id,
    trim(apar_name) as name,
    nullif(upper(trim(zip_code)), '') as postcode,
    -- Clerks type VAT numbers with and without blanks.
    nullif(upper(regexp_replace(vat_reg_no, '\s', '', 'g')), '') as vat_number,
    case status
        when 'N' then 'active'
        when 'P' then 'held'
        when 'C' then 'closed'
    end as status,
    -- The extract does not say which supplier took over.
    cast(null as text) as merged_into
from raw.supplier
