/*
One row per payment run in Proactis.
grain: run_id
*/
select
    run_id,
    ts as run_at,
    method,
    count as payments,
    total,
    control_total
from raw.payment_run
