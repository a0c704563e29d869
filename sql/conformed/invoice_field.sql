/*
One row per field that was read off a supplier's document.
grain: force, source, document_id, field
scope: force
columns:
  document_id: the document's number in the system that read it
  field: what was read: supplier, invoice number, net …, in that system's own name
  raw_text: the characters on the page  [pii]
  value: what they were taken to mean, corrections included  [pii]
  confidence: how sure the reader was, 0 to 1; empty where the field was not read but sent as data
  is_corrected: whether somebody put it right
  corrected_by: who  [pii]
  corrected_at: when, in UTC
  source: the system of this force that the row came from
checks:
  unique: force, source, document_id, field
  not_null: document_id, field, is_corrected
  accept confidence: confidence between 0 and 1
*/
select
    document_id,
    field,
    raw_text,
    value,
    confidence,
    is_corrected,
    corrected_by,
    corrected_at,
    source
from staging.invoice_field
