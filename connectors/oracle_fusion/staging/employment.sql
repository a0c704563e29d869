/*
One row per Oracle assignment and period in which it did not change.
grain: employment_id, valid_from
*/
select
    coalesce(assignment_number, cast(assignment_id as text)) as employment_id,
    cast(person_id as text) as person_id,
    position_name as post_title,
    organization_id as unit_code,
    cost_centre,
    -- The department employs civil servants.
    'civil servant' as worker_type,
    upper(trim(grade_name)) as grade,
    cast(
        case frequency
            when 'D' then normal_hours * 5
            when 'W' then normal_hours
            when 'M' then normal_hours * 12 / 52
            when 'Y' then normal_hours / 52
        end as decimal(9, 4)
    ) as contracted_hours,
    -- 37 hours a week are full time.
    cast(
        coalesce(
            fte,
            case frequency
                when 'D' then normal_hours * 5
                when 'W' then normal_hours
                when 'M' then normal_hours * 12 / 52
                when 'Y' then normal_hours / 52
            end / 37
        ) as decimal(9, 4)
    ) as fte,
    effective_start_date as valid_from,
    -- The last day is included, ours is not; Oracle's end of time is 4712-12-31.
    case
        when effective_end_date < date '4712-12-31' then effective_end_date + interval '1 day'
        else date '9999-12-31'
    end as valid_to,
    last_update_date as changed_at
from raw.hr_assignment
-- ET rows are the terms of employment above an assignment; C, N and P are no employees. Of several
-- changes on one day the last one stands.
where assignment_type = 'E' and effective_latest_change
