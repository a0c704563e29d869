/*
One row per iTrent assignment and effective date, as the vendor keeps them: periods may overlap.
grain: employment_id, valid_from
*/
select
    assignment_no as employment_id,
    personal_ref as person_id,
    post_title,
    unit_code,
    cost_centre,
    case worker_type
        when 'OFFICER' then 'police officer'
        when 'PCSO' then 'pcso'
        when 'STAFF' then 'police staff'
        when 'SPECIAL' then 'special constable'
    end as worker_type,
    upper(trim(rank_grade)) as grade,
    contract_hours as contracted_hours,
    fte,
    eff_from as valid_from,
    -- The vendor's last day is included, ours is not; the open end stays where it is.
    case
        when eff_to < date '9999-12-31' then eff_to + interval '1 day'
        else date '9999-12-31'
    end as valid_to,
    change_ts as changed_at
from raw.position
