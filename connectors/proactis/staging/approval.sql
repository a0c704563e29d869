/*
One row per question to an approver in Proactis.
grain: request_id, decision_no
*/
select
    approvals.doc_id as request_id,
    approvals.seq as decision_no,
    'invoice' as document_type,
    -- The ledger's number, once the document is booked there.
    documents.ledger_doc_no as document_id,
    cast(null as bigint) as revision,
    -- The workflow asks, not a person.
    cast(null as text) as raised_by,
    approvals.requested_ts as raised_at,
    cast(null as date) as act_before,
    cast(null as text) as priority,
    cast(null as decimal(18, 2)) as value,
    approvals.approver,
    approvals.delegated_from,
    lower(approvals.decision) as decision,
    approvals.decided_ts as decided_at,
    cast(null as text) as channel
from raw.approval as approvals
left join raw.document as documents on approvals.doc_id = documents.doc_id
