/*
One row per Northgate compensation claim.
grain: claim_id
*/
select
    cast(claim_id as text) as claim_id,
    collar_no,
    duty_date as worked_on,
    lower(claim_type) as claim_type,
    mins_worked as minutes_worked,
    mins_credit as minutes_credited,
    rate,
    lower(pay_or_toil) as settlement,
    case status
        when 'AUTH' then 'authorised'
        when 'PENDING' then 'pending'
        when 'REJECTED' then 'rejected'
    end as status,
    recorded_ts as recorded_at
from raw.compensation
