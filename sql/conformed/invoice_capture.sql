/*
One row per document that came in as an invoice, as it was read off the page or message.
grain: force, source, document_id
scope: force
columns:
  document_id: the document's number in the system that took it in
  channel: email, portal, peppol, scan, edi or ftp
  received_at: when it came in, in UTC
  format: what it was: pdf, tiff, ubl …, in the capturing system's own word
  pages: how many pages; empty for data without pages
  confidence: how sure the reader was of the page as a whole, 0 to 1; empty for data
  supplier_text: who sent it, as read  [pii]
  invoice_number_text: the supplier's reference, as read
  invoice_date: the day printed on it; empty when it could not be read
  net: pounds without VAT, as read; empty when it was no number
  vat: pounds of VAT, as read; empty when it was no number
  gross: pounds to pay, as read; empty when it was no number
  order_text: the purchase order that it quotes, as read
  currency: ISO code of the currency printed on it
  invoice_id: the number that the ledger gave it (conformed.invoice); empty until it is booked
  corrected_fields: how many fields somebody put right
  exceptions: how many times it was stopped
  is_touchless: whether it went through without a correction and without being stopped
  source: the system of this force that the row came from
checks:
  unique: force, source, document_id
  not_null: document_id, channel, received_at, corrected_fields, exceptions, is_touchless
  accept channel: channel in ('email', 'portal', 'peppol', 'scan', 'edi', 'ftp')
  accept confidence: confidence between 0 and 1
  accept gross: gross = net + vat      (warn)
  relate invoice_id: conformed.invoice.invoice_id      (warn)
*/
with

corrections as (
    select source, document_id, count(*) as corrected_fields
    from staging.invoice_field
    where is_corrected
    group by source, document_id
),

stops as (
    select source, document_id, count(*) as exceptions
    from staging.invoice_exception
    group by source, document_id
)

select
    captures.document_id,
    captures.channel,
    captures.received_at,
    captures.format,
    captures.pages,
    captures.confidence,
    captures.supplier_text,
    captures.invoice_number_text,
    captures.invoice_date,
    captures.net,
    captures.vat,
    captures.gross,
    captures.order_text,
    captures.currency,
    captures.invoice_id,
    coalesce(corrections.corrected_fields, 0) as corrected_fields,
    coalesce(stops.exceptions, 0) as exceptions,
    corrections.document_id is null and stops.document_id is null as is_touchless,
    captures.source
from staging.invoice_capture as captures
left join corrections
    on captures.source = corrections.source
    and captures.document_id = corrections.document_id
left join stops
    on captures.source = stops.source
    and captures.document_id = stops.document_id
