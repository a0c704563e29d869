/*
One row per iTrent assignment and effective date, as the vendor keeps them: periods may overlap.
grain: employment_id, valid_from
*/
with

posts as (
    select
        *,
        -- The vendor's last day is included, ours is not; the open end stays where it is.
        case
            when eff_to < date '9999-12-31' then eff_to + interval '1 day'
            else date '9999-12-31'
        end as valid_to
    from raw.position
),

leavers as (
    select personal_ref, leaving_date
    from raw.person
    where leaving_date < date '9999-12-31'
)

select
    posts.assignment_no as employment_id,
    posts.personal_ref as person_id,
    posts.post_title,
    posts.unit_code,
    posts.cost_centre,
    case posts.worker_type
        when 'OFFICER' then 'police officer'
        when 'PCSO' then 'pcso'
        when 'STAFF' then 'police staff'
        when 'SPECIAL' then 'special constable'
    end as worker_type,
    upper(trim(posts.rank_grade)) as grade,
    posts.contract_hours as contracted_hours,
    posts.fte,
    posts.eff_from as valid_from,
    -- A post that nobody closed ends with its holder's service. One that began later is somebody's who
    -- came back: there the leaving date is the older record.
    case
        when leavers.leaving_date >= posts.eff_from
            then least(posts.valid_to, leavers.leaving_date + interval '1 day')
        else posts.valid_to
    end as valid_to,
    posts.change_ts as changed_at
from posts
left join leavers on posts.personal_ref = leavers.personal_ref
