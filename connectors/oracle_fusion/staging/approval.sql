/*
One row per decision on an Oracle invoice in each of its rounds of approval; a round that waits has one row without a decision.
grain: request_id, revision, decision_no
*/
with

answers as (
    select
        *,
        case
            when upper(response) in ('APPROVED', 'WFAPPROVED', 'MANUALLY APPROVED') then 'approved'
            when upper(response) in ('REJECTED', 'WITHDRAWN') then 'rejected'
            when upper(response) in ('FORWARDED', 'REASSIGNED', 'DELEGATED') then 'forwarded'
            when upper(response) in ('EXPIRED', 'TIMED OUT') then 'expired'
        end as decision
    from raw.ap_approval
),

rounds as (
    select
        invoice_id,
        iteration,
        min(creation_date) as raised_at
    from raw.ap_approval
    group by invoice_id, iteration
),

decisions as (
    select
        *,
        row_number() over (partition by invoice_id, iteration order by creation_date, approval_history_id) as decision_no
    from answers
    where decision is not null
)

select
    cast(rounds.invoice_id as text) as request_id,
    cast(coalesce(decisions.decision_no, 0) as bigint) as decision_no,
    'invoice' as document_type,
    cast(rounds.invoice_id as text) as document_id,
    -- Each round asks again.
    rounds.iteration as revision,
    cast(null as text) as raised_by,
    rounds.raised_at,
    cast(null as date) as act_before,
    cast(null as text) as priority,
    decisions.amount_approved as value,
    coalesce(decisions.approver_name, decisions.approver_id) as approver,
    cast(null as text) as delegated_from,
    decisions.decision,
    decisions.creation_date as decided_at,
    cast(null as text) as channel
from rounds
left join decisions
    on rounds.invoice_id = decisions.invoice_id
    and rounds.iteration = decisions.iteration
