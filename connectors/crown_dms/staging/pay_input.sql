/*
One row per line of the Crown DMS feed to payroll.
grain: batch, line_no
*/
select
    run_no as batch,
    line_no,
    assignment as employment_id,
    element as element_code,
    work_date as worked_on,
    cast(round(hours * 60) as bigint) as minutes,
    fin_code as cost_code
from raw.payroll_feed
