/*
One row per submission of a Collaborative Planning version to an approver.
grain: request_id, decision_no
*/
select
    version_id as request_id,
    seq as decision_no,
    'budget' as document_type,
    version_id as document_id,
    cast(null as bigint) as revision,
    submitted_by as raised_by,
    submitted_ts as raised_at,
    cast(null as date) as act_before,
    cast(null as text) as priority,
    cast(null as decimal(18, 2)) as value,
    approver,
    cast(null as text) as delegated_from,
    lower(decision) as decision,
    decided_ts as decided_at,
    -- Versions are approved at a desk.
    'web' as channel
from raw.approval
