/*
One row per force, organisational unit and period; periods of one unit never overlap.
grain: force, unit_code, valid_from
scope: force
columns:
  unit_code: the unit's code, as employments and posts quote it
  parent_code: code of the unit above; empty at the top
  level: depth in the organisation, 1 at the top
  name: name of the unit
  valid_from: first day of the period
  valid_to: day after the last day of the period; 9999-12-31 while open
  source: the HR source that holds the unit
checks:
  unique: force, unit_code, valid_from
  not_null: unit_code, level, name, valid_from, valid_to
  accept valid_to: valid_from < valid_to
  accept level: level >= 1  (warn)
  accept parent_code: parent_code <> unit_code  (warn)
  relate parent_code: conformed.unit.unit_code  (warn)
*/
with

units as (
    select
        unit_code,
        parent_code,
        level,
        name,
        valid_from,
        -- A back-dated change leaves the period before it open: the later start ends it.
        least(valid_to, lead(valid_from) over (partition by unit_code order by valid_from)) as valid_to,
        source
    from staging.unit
)

select
    unit_code,
    parent_code,
    level,
    name,
    valid_from,
    valid_to,
    source
from units
where valid_from < valid_to
