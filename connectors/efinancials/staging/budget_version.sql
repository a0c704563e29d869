/*
One row per eFinancials budget version and year.
grain: version_id
*/
with

versions as (
    select distinct
        version,
        try_cast(substr(period, 1, 4) as bigint) as fin_year
    from raw.budget
)

select
    version || '-' || cast(fin_year as text) as version_id,
    version as name,
    case version
        when 'ORIG' then 'base'
        when 'WORK' then 'working'
        when 'REV' then 'revised'
    end as kind,
    fin_year,
    -- The ledger knows its versions by their lines alone.
    cast(null as bigint) as as_at_period,
    cast(null as text) as status,
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as locked_at,
    cast(null as text) as approved_by,
    cast(null as decimal(18, 2)) as full_year
from versions
