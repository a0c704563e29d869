/*
One row per address at which a force deals with a supplier.
grain: force, source, supplier_id, site_code
scope: force
columns:
  supplier_id: the supplier's number
  site_code: the site within the supplier
  address: street and town; the home of the owner where the supplier is a sole trader  [pii]
  postcode: upper-cased; the home of the owner where the supplier is a sole trader  [pii]
  bank_token: fingerprint of sort code and account number, the same at every force; empty without both  [pii]
  status: active, held (no payment may go out) or closed
  source: the finance system of this force that the row came from
checks:
  unique: force, source, supplier_id, site_code
  not_null: supplier_id, site_code, status
  accept status: status in ('active', 'held', 'closed')
  relate supplier_id: conformed.supplier.supplier_id      (warn)
*/
select
    supplier_id,
    site_code,
    address,
    postcode,
    bank_token,
    status,
    source
from staging.supplier_site
