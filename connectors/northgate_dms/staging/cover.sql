/*
One row per Northgate minimum of cover.
grain: unit_code, duty_date, starts_minute, ends_minute, grade, skill
*/
with

bands as (
    select
        *,
        split_part(band, '-', 1) as starts,
        split_part(band, '-', 2) as ends
    from raw.cover_min
)

select
    org_unit as unit_code,
    duty_date,
    -- Counted from midnight of the duty day: 31:00 is seven in the morning after.
    try_cast(split_part(starts, ':', 1) as bigint) * 60
        + try_cast(split_part(starts, ':', 2) as bigint) as starts_minute,
    try_cast(split_part(ends, ':', 1) as bigint) * 60
        + try_cast(split_part(ends, ':', 2) as bigint) as ends_minute,
    case when rank = '*' then 'any' else upper(trim(rank)) end as grade,
    case when skill = '*' then 'any' else lower(trim(skill)) end as skill,
    min_required as required
from bands
