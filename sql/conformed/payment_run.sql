/*
One row per batch of payments that was sent to the bank.
grain: force, source, run_id
scope: force
columns:
  run_id: the number of the run
  run_at: when it was made, in UTC
  method: how it was paid, in the system's own code (BACS, CHQ …)
  payments: how many payments the system says are in it
  total: pounds that the system says are in it
  control_total: pounds that the bank or the ledger confirms
  source: the system of this force that the row came from
checks:
  unique: force, source, run_id
  not_null: run_id, run_at, payments, total
  accept control_total: total = control_total      (warn)
*/
select
    run_id,
    run_at,
    method,
    payments,
    total,
    control_total,
    source
from staging.payment_run
