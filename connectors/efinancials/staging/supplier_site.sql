/*
One row per site of an eFinancials supplier.
grain: supplier_id, site_code
*/
with

sites as (
    select
        *,
        -- Clerks type sort codes and account numbers with and without blanks and hyphens.
        regexp_replace(bank_sort, '[\s-]', '', 'g') || regexp_replace(bank_acc, '[\s-]', '', 'g') as bank
    from raw.supplier_site
)

select
    supplier_id,
    site_code,
    nullif(
        concat_ws(
            ', ',
            nullif(trim(address1), ''),
            nullif(trim(address2), ''),
            nullif(trim(address3), ''),
            nullif(trim(address4), ''),
            nullif(trim(address5), '')
        ),
        ''
    ) as address,
    nullif(upper(trim(postcode)), '') as postcode,
    encode(sha256(bank), 'hex') as bank_token,
    case status
        when 'A' then 'active'
        when 'H' then 'held'
        when 'X' then 'closed'
    end as status
from sites
