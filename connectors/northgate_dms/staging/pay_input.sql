/*
One row per authorised Northgate claim that a payroll file has carried.
grain: batch, line_no
*/
select
    claims.exported_run as batch,
    claims.claim_id as line_no,
    holders.payroll_no as employment_id,
    claims.element_code,
    claims.duty_date as worked_on,
    claims.mins_worked as minutes,
    claims.project_loc as cost_code
from raw.compensation as claims
-- Collar numbers are handed on: the claim is paid to whoever held the number on the day.
inner join raw.person as holders
    on claims.collar_no = holders.collar_no
    and claims.duty_date >= holders.joined
    and claims.duty_date <= coalesce(holders.left_on, date '9999-12-31')
where claims.exported_run is not null
