/*
One row per Crown DMS overtime claim.
grain: claim_id
*/
select
    cast(claim_no as text) as claim_id,
    collar as collar_no,
    worked_date as worked_on,
    lower(type) as claim_type,
    minutes as minutes_worked,
    credited as minutes_credited,
    rate,
    lower(settle) as settlement,
    case status
        when 'A' then 'authorised'
        when 'P' then 'pending'
        when 'R' then 'rejected'
    end as status,
    recorded_at
from raw.overtime
