/*
One row per force, source and event in the life of a service request.
grain: force, source, event_id
scope: force
columns:
  event_id: the event's number in its system
  request_id: the request that it happened to
  vendor_status: the request's status after it, as the system words it
  status: open, in progress or closed, by reference.service_status; unmapped when the status is not listed there
  occurred_at: when it happened, UTC; when the hub received it, where the system does not say
  is_time_of_receipt: whether the time is that of receipt, which is later than the event
  actor: who did it  [pii]
  source: the source that holds the event
checks:
  unique: force, source, event_id
  not_null: event_id, request_id, status, occurred_at, is_time_of_receipt
  accept status: status <> 'unmapped'  (warn)
  relate request_id: conformed.service_request.request_id  (warn)
*/
with

events as (
    select
        event_id,
        request_id,
        status,
        occurred_at,
        received_at,
        actor,
        source
    from staging.service_event
),

statuses as (
    select vendor_code, status
    from reference.service_status
)

select
    events.event_id,
    events.request_id,
    events.status as vendor_status,
    coalesce(statuses.status, 'unmapped') as status,
    coalesce(events.occurred_at, events.received_at) as occurred_at,
    events.occurred_at is null as is_time_of_receipt,
    events.actor,
    events.source
from events
left join statuses on events.status = statuses.vendor_code
