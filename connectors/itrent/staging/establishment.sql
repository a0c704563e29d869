/*
One row per iTrent post and effective date, whether somebody holds it or not.
grain: post_id, valid_from
*/
select
    position_id as post_id,
    post_title,
    unit_code,
    upper(trim(rank_grade)) as grade,
    budget_fte,
    eff_from as valid_from,
    -- The vendor's last day is included, ours is not; the open end stays where it is.
    case
        when eff_to < date '9999-12-31' then eff_to + interval '1 day'
        else date '9999-12-31'
    end as valid_to
from raw.post
