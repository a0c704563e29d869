/*
One row per supplier on a force's books.
grain: force, supplier_id
scope: force
columns:
  supplier_id: the number the force's finance system gives the supplier
  name: the trading name as the force wrote it
  postcode: upper-cased; the home of the owner where the supplier is a sole trader  [pii]
  vat_number: VAT registration, upper-cased without blanks; empty when none is known
  status: active, held (no payment may go out) or closed
  merged_into: the supplier that this one was merged into, whose number now stands for both; empty otherwise
  source: the finance system at this force that the row came from
checks:
  unique: force, supplier_id
  not_null: supplier_id, name, status
  accept status: status in ('active', 'held', 'closed')
  accept name: name <> ''      (warn)
  accept merged_into: merged_into is null or (merged_into <> supplier_id and status = 'closed')      (warn)
*/
select
    supplier_id,
    name,
    postcode,
    vat_number,
    status,
    merged_into,
    source
from staging.supplier
