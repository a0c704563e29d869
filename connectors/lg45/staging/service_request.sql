/*
One row per LG45 case, for the council that logged it.
grain: request_id
*/
with

responses as (
    select
        case_no,
        min(event_ts) as responded_at
    from raw.case_event
    where event_type <> 'CREATED'
    group by case_no
),

-- A case may be sent out several times: the work began with the first task and ended with the last.
works as (
    select
        case_no,
        first_value(owner order by assigned_ts desc nulls last, task_id desc) as crew,
        min(assigned_ts) as allocated_at,
        min(started_ts) as started_at,
        case when count(completed_ts) = count(*) then max(completed_ts) end as completed_at
    from raw.task
    group by case_no
)

select
    cases.case_no as request_id,
    trim(cases.service_name) as service,
    cases.service_code as lgsl,
    cases.interaction as lgil,
    case cases.channel
        when 'PHONE' then 'phone'
        when 'F2F' then 'in person'
        when 'WEB' then 'web'
        when 'EMAIL' then 'email'
        when 'MOBILE' then 'mobile'
    end as channel,
    case
        when contacts.type in ('STAFF', 'MEMBER') then 'staff'
        when contacts.type is not null then 'public'
    end as reporter_type,
    cases.council_code as logged_by,
    nullif(cases.on_behalf_of_council, cases.council_code) as on_behalf_of,
    cases.owner_team,
    upper(replace(trim(cases.status), ' ', '_')) as status,
    upper(trim(cases.closure_code)) as outcome,
    cases.first_contact_resolved as is_first_contact,
    cases.opened_ts as opened_at,
    responses.responded_at,
    cases.target_ts as target_at,
    works.allocated_at,
    works.started_at,
    works.completed_at,
    cases.closed_ts as closed_at,
    works.crew,
    -- The number of a property is a number: leading zeros come and go.
    nullif(ltrim(coalesce(cases.uprn, contacts.uprn), '0'), '') as uprn,
    cast(null as decimal(9, 6)) as latitude,
    cast(null as decimal(9, 6)) as longitude,
    cast(null as bigint) as photos
from raw.case as cases
left join raw.contact as contacts on cases.party_id = contacts.party_id
left join responses on cases.case_no = responses.case_no
left join works on cases.case_no = works.case_no
