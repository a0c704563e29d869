/*
One row per force, source and request that a council was asked to see to.
grain: force, source, request_id
scope: force
columns:
  request_id: the request's number in its system
  service: what it is about, as the system words it
  service_category: what it is about by reference.service_map; unmapped when the words are not listed there
  lgsl: code of the service in the national list; empty until the council has mapped it
  lgil: code of the interaction in the national list
  channel: phone, in person, web, email, mobile or other
  reporter_type: staff (employees and councillors) or public; empty when nobody knows
  logged_by: code of the council that logged it; empty where one council has the system to itself
  on_behalf_of: code of the council that is to see to it, when that is another one
  owner_team: team that has it
  status: open, in progress or closed, by reference.service_status; unmapped when the status is not listed there
  outcome: fixed, no action, not ours, duplicate or withdrawn, by reference.service_outcome; empty while it is not closed, or when the system does not say
  is_first_contact: whether it was settled in the first conversation; empty when the system does not say
  opened_at: when it was logged, UTC
  responded_at: when something was first done about it, UTC
  target_at: when it should be closed, UTC
  allocated_at: when a crew was given the work, UTC
  started_at: when the crew began, UTC
  completed_at: when the crew had finished, UTC
  closed_at: when it was closed, UTC; empty while it is open
  crew: crew that did the work
  uprn: property number of the place, without leading zeros  [pii]
  latitude: latitude of the place in degrees  [pii]
  longitude: longitude of the place in degrees  [pii]
  photos: photographs with the request
  source: the source that holds the request
checks:
  unique: force, source, request_id
  not_null: request_id, service_category, channel, status, opened_at
  accept status: status <> 'unmapped'  (warn)
  accept service_category: service_category <> 'unmapped'  (warn)
  accept closed: (status = 'closed') = (closed_at is not null)  (warn)
  accept order: opened_at <= closed_at  (warn)
  accept place: latitude between 49 and 61 and longitude between -9 and 2  (warn)
  reconcile one_council: count(distinct logged_by) = least(count(distinct logged_by), 1)
*/
with

requests as (
    select
        *,
        upper(replace(replace(trim(service), '_', ' '), '-', ' ')) as words
    from staging.service_request
),

service_map as (
    select service, service_category
    from reference.service_map
),

statuses as (
    select vendor_code, status
    from reference.service_status
),

outcomes as (
    select vendor_code, outcome
    from reference.service_outcome
)

select
    requests.request_id,
    requests.service,
    coalesce(service_map.service_category, 'unmapped') as service_category,
    requests.lgsl,
    requests.lgil,
    coalesce(requests.channel, 'other') as channel,
    requests.reporter_type,
    requests.logged_by,
    requests.on_behalf_of,
    requests.owner_team,
    coalesce(statuses.status, 'unmapped') as status,
    -- Some systems close with a reason of its own, in others the last status is the reason.
    case when statuses.status = 'closed' then coalesce(reasons.outcome, endings.outcome) end as outcome,
    requests.is_first_contact,
    requests.opened_at,
    requests.responded_at,
    requests.target_at,
    requests.allocated_at,
    requests.started_at,
    requests.completed_at,
    requests.closed_at,
    requests.crew,
    requests.uprn,
    requests.latitude,
    requests.longitude,
    requests.photos,
    requests.source
from requests
left join service_map on requests.words = service_map.service
left join statuses on requests.status = statuses.vendor_code
left join outcomes as reasons on requests.outcome = reasons.vendor_code
left join outcomes as endings on requests.status = endings.vendor_code
