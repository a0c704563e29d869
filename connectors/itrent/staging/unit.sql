/*
One row per iTrent unit and effective date.
grain: unit_code, valid_from
*/
select
    unit_code,
    parent as parent_code,
    level,
    name,
    eff_from as valid_from,
    -- The vendor's last day is included, ours is not; the open end stays where it is.
    case
        when eff_to < date '9999-12-31' then eff_to + interval '1 day'
        else date '9999-12-31'
    end as valid_to
from raw.unit
