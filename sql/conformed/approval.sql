/*
One row per request to approve a revision of a document, and decision on it; a request that waits has one row without a decision.
grain: force, source, request_id, revision, decision_no
scope: force
columns:
  request_id: the request's number in the system that asks
  decision_no: which decision on the request, from 1; where there is none yet, 0
  document_type: order, requisition, contract, invoice, payment or budget
  document_id: the number of the document to approve; empty until it has one
  revision: the document's revision; a revised document is asked for again; empty where there are none
  raised_by: who asked  [pii]
  raised_at: when it was asked, in UTC
  act_before: the day by which a decision was wanted
  priority: high, medium or low; empty where nobody said
  value: pounds at stake
  approver: who decided  [pii]
  delegated_from: whom the approver stood in for  [pii]
  decision: approved, rejected, forwarded, expired or superseded (the document was revised before anybody decided); empty while waiting
  decided_at: when it was decided, in UTC
  channel: mobile, web or email; empty where the system does not say
  minutes_to_decide: minutes from asking to this decision
  is_document_known: whether the hub has the order or invoice that it is about; empty for other documents. A deleted order leaves its approvals behind
  source: the system of this force that the row came from
checks:
  unique: force, source, request_id, revision, decision_no
  not_null: request_id, decision_no, document_type, raised_at
  accept document_type: document_type in ('order', 'requisition', 'contract', 'invoice', 'payment', 'budget')
  accept priority: priority in ('high', 'medium', 'low')
  accept decision: decision in ('approved', 'rejected', 'forwarded', 'expired', 'superseded')
  accept channel: channel in ('mobile', 'web', 'email')
  accept minutes_to_decide: minutes_to_decide >= 0      (warn)
  accept is_document_known: is_document_known      (warn)
*/
select
    approvals.request_id,
    approvals.decision_no,
    approvals.document_type,
    approvals.document_id,
    approvals.revision,
    approvals.raised_by,
    approvals.raised_at,
    approvals.act_before,
    approvals.priority,
    approvals.value,
    approvals.approver,
    approvals.delegated_from,
    approvals.decision,
    approvals.decided_at,
    approvals.channel,
    (to_unixtime(approvals.decided_at) - to_unixtime(approvals.raised_at)) / 60 as minutes_to_decide,
    case
        when approvals.document_id is null then null
        when approvals.document_type = 'order' then orders.order_id is not null
        when approvals.document_type = 'invoice' then invoices.invoice_id is not null
    end as is_document_known,
    approvals.source
from staging.approval as approvals
left join conformed.purchase_order as orders
    on approvals.document_type = 'order'
    and approvals.document_id = orders.order_id
left join conformed.invoice as invoices
    on approvals.document_type = 'invoice'
    and approvals.document_id = invoices.invoice_id
