/*
One row per Oracle supplier.
grain: supplier_id
*/
select
    cast(vendor_id as text) as supplier_id,
    trim(vendor_name) as name,
    -- Postcodes are those of the sites: conformed.supplier_site.
    cast(null as text) as postcode,
    -- Clerks type VAT numbers with and without blanks.
    nullif(upper(regexp_replace(vat_registration_num, '\s', '', 'g')), '') as vat_number,
    case
        -- A supplier is closed by a day, which may be announced some days ahead.
        when not enabled_flag or end_date_active is not null then 'closed'
        when hold_all_payments_flag then 'held'
        else 'active'
    end as status,
    -- A merge rewrites the documents of the supplier that goes; nothing says where they went.
    cast(null as text) as merged_into
from raw.ap_supplier
