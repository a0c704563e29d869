/*
One row per Collaborative Planning version.
grain: version_id
*/
with

years as (
    select
        version_id,
        cast(sum(full_year) as decimal(18, 2)) as full_year
    from raw.line
    group by version_id
)

select
    versions.version_id,
    versions.name,
    -- FORECAST_P06 is the forecast after September.
    lower(regexp_replace(upper(trim(versions.kind)), '_P\d+$', '')) as kind,
    versions.fin_year,
    coalesce(
        versions.as_at_period,
        try_cast(nullif(regexp_replace(upper(trim(versions.kind)), '^FORECAST_P', ''), '') as bigint)
    ) as as_at_period,
    versions.status,
    versions.locked_ts as locked_at,
    versions.approved_by,
    years.full_year
from raw.version as versions
left join years on versions.version_id = years.version_id
