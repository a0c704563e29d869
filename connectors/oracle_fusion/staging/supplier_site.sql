/*
One row per site of an Oracle supplier.
grain: supplier_id, site_code
*/
select
    cast(vendor_id as text) as supplier_id,
    -- Operating units may give one code to sites of their own.
    vendor_site_code || ' ' || cast(vendor_site_id as text) as site_code,
    nullif(
        concat_ws(', ', nullif(trim(address_line1), ''), nullif(trim(address_line2), ''), nullif(trim(city), '')),
        ''
    ) as address,
    nullif(upper(trim(zip)), '') as postcode,
    -- Bank accounts are kept with the party, not with the site.
    cast(null as text) as bank_token,
    case
        when inactive_date is not null then 'closed'
        when hold_all_payments_flag then 'held'
        else 'active'
    end as status
from raw.ap_supplier_site
