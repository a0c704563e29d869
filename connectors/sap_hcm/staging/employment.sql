/*
One row per SAP HCM assignment and first day, as the vendor keeps them: periods may overlap.
grain: employment_id, valid_from
*/
select
    asnum as employment_id,
    pernr as person_id,
    title as post_title,
    orgeh as unit_code,
    kostl as cost_centre,
    case persg
        when '1' then 'police officer'
        when '2' then 'pcso'
        when '3' then 'police staff'
        when '4' then 'special constable'
    end as worker_type,
    upper(trim(persk)) as grade,
    hours as contracted_hours,
    fte,
    begda as valid_from,
    -- The vendor's last day is included, ours is not; the open end stays where it is.
    case
        when endda < date '9999-12-31' then endda + interval '1 day'
        else date '9999-12-31'
    end as valid_to,
    changed_at
from raw.assignment
