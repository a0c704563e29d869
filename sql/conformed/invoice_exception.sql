/*
One row per reason for which a supplier's document did not go straight through.
grain: force, source, document_id, exception_no
scope: force
columns:
  document_id: the document's number in the system that stopped it
  exception_no: the document's exceptions in the order in which they were opened, from 1
  code: no order, order closed, over receipt, price, duplicate, vat, supplier unknown, bank, unreadable, totals, disputed or held
  opened_at: when it was stopped, in UTC; a ledger that keeps days gives midnight
  closed_at: when it was settled, in UTC; empty while open
  resolution: how it was settled, in the words of who did
  owner: who has to settle it  [pii]
  value: pounds of the document, VAT included: what may be paid wrongly or late; empty when they could not be read
  source: the system of this force that the row came from
checks:
  unique: force, source, document_id, exception_no
  not_null: document_id, exception_no, code
  accept code: code in ('no order', 'order closed', 'over receipt', 'price', 'duplicate', 'vat', 'supplier unknown', 'bank', 'unreadable', 'totals', 'disputed', 'held')
  accept closed_at: opened_at <= closed_at      (warn)
*/
select
    exceptions.document_id,
    exceptions.exception_no,
    exceptions.code,
    exceptions.opened_at,
    exceptions.closed_at,
    exceptions.resolution,
    exceptions.owner,
    coalesce(exceptions.value, captures.gross) as value,
    exceptions.source
from staging.invoice_exception as exceptions
left join staging.invoice_capture as captures
    on exceptions.source = captures.source
    and exceptions.document_id = captures.document_id
