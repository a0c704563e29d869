/*
One row per step of a supplier's document on its way from arrival to payment.
grain: force, source, document_id, event_no
scope: force
columns:
  document_id: the document's number in the system that took it in
  event_no: the steps of a document in order, from 1
  status: received, captured, validated, matched, exception, queried, in approval, approved, exported, rejected or paid
  happened_at: when the document came to this status, in UTC
  actor: who or what moved it there  [pii]
  minutes_since_last: minutes since the step before; empty on the first
  source: the system of this force that the row came from
checks:
  unique: force, source, document_id, event_no
  not_null: document_id, event_no, status, happened_at
  accept status: status in ('received', 'captured', 'validated', 'matched', 'exception', 'queried', 'in approval', 'approved', 'exported', 'rejected', 'paid')
  accept minutes_since_last: minutes_since_last >= 0      (warn)
*/
select
    document_id,
    event_no,
    status,
    happened_at,
    actor,
    case
        when lag(document_id) over sorted = document_id and lag(source) over sorted = source
            then (to_unixtime(happened_at) - to_unixtime(lag(happened_at) over sorted)) / 60
    end as minutes_since_last,
    source
from staging.invoice_event
window sorted as (order by source, document_id, event_no)
