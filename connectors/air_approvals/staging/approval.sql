/*
One row per Air Approvals request, revision of its document and decision.
grain: request_id, revision, decision_no
*/
with

-- A decision answers the revision that lay open when it was made.
requests as (
    select
        *,
        lag(raised_ts) over editions as previous_at,
        lead(raised_ts) over editions as next_at
    from raw.request
    window editions as (partition by request_id order by revision)
)

select
    requests.request_id,
    coalesce(decisions.seq, 0) as decision_no,
    case requests.doc_type
        when 'PO' then 'order'
        when 'REQ' then 'requisition'
        when 'CON' then 'contract'
        when 'INV' then 'invoice'
        when 'PAY' then 'payment'
    end as document_type,
    requests.doc_ref as document_id,
    requests.revision,
    requests.raised_by,
    requests.raised_ts as raised_at,
    requests.action_before as act_before,
    lower(requests.priority) as priority,
    requests.value,
    decisions.approver_id as approver,
    decisions.delegated_from,
    case
        when decisions.decision = 'APPROVE' then 'approved'
        when decisions.decision = 'REJECT' then 'rejected'
        when decisions.decision = 'FORWARD' then 'forwarded'
        when decisions.decision = 'EXPIRE' then 'expired'
        -- Nobody decided before the document was revised.
        when requests.next_at is not null then 'superseded'
    end as decision,
    coalesce(decisions.decided_ts, requests.next_at) as decided_at,
    lower(decisions.channel) as channel
from requests
left join raw.decision as decisions
    on requests.request_id = decisions.request_id
    -- A phone's clock may be behind: what came before the first revision belongs to it.
    and (decisions.decided_ts >= requests.raised_ts or requests.previous_at is null)
    and (decisions.decided_ts < requests.next_at or requests.next_at is null)
