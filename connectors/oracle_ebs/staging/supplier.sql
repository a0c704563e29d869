/*
One row per Oracle supplier.
grain: supplier_id
*/
select
    cast(vendor_id as text) as supplier_id,
    trim(vendor_name) as name,
    nullif(upper(trim(postal_code)), '') as postcode,
    -- Clerks type VAT numbers with and without blanks.
    nullif(upper(regexp_replace(vat_registration_num, '\s', '', 'g')), '') as vat_number,
    case
        -- A supplier that was disabled stays closed, also while a hold is on it.
        when not enabled then 'closed'
        when hold then 'held'
        else 'active'
    end as status,
    -- The extract does not say which supplier took over.
    cast(null as text) as merged_into
from raw.supplier
