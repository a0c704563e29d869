/*
One row per document that a supplier sent to a force, as the document itself states it.
grain: force, source, document_id
scope: force
columns:
  document_id: the SHA-256 of the file as received; the lake keeps it under this name
  file: the name under which it came
  status: read or unreadable
  reason: why it could not be read; empty when it could
  syntax: ubl or cii (structured), text (the letters of a PDF) or scan (the image of a page)
  confidence: how sure the least sure of number, date and gross is, from 0 to 1; empty when one of them was not found
  verdict: whether its numbers agree with each other by the rules of EN 16931: pass, fail or not applicable
  failed_rules: how many of the rules fail
  document_type: invoice or credit note; empty when nothing says so
  supplier_reference: the number printed on it
  preceding_reference: the number of the invoice that it corrects; empty when none
  supplier_name: who sent it; a sole trader's name is a person's  [pii]
  supplier_vat_id: the supplier's VAT number, with its country
  supplier_company_id: the supplier's number in a register of companies
  payment_account: country and last four characters of the account to pay to  [pii]
  buyer_name: who it is addressed to
  buyer_reference: what the buyer asked to be quoted  [pii]
  order_id: the purchase order it quotes; empty when none
  invoice_date: the date printed on it
  due_on: the last day to pay; empty when it names none
  currency: the currency of its amounts
  net: without VAT; negative on a credit note
  vat: VAT; negative on a credit note
  gross: net and VAT together; negative on a credit note
  payable: what is left to pay; negative on a credit note
  source: the source at this force that it came from
checks:
  unique: force, source, document_id
  not_null: document_id, file, status
  accept status: status in ('read', 'unreadable')
  accept reason: status = 'read' or reason is not null
  accept is_read: status = 'read'      (warn)
  accept verdict: verdict <> 'fail'      (warn)
  accept is_complete: status = 'unreadable' or confidence is not null      (warn)
*/
select
    document_id,
    file,
    status,
    reason,
    syntax,
    confidence,
    verdict,
    failed_rules,
    document_type,
    supplier_reference,
    preceding_reference,
    supplier_name,
    supplier_vat_id,
    supplier_company_id,
    payment_account,
    buyer_name,
    buyer_reference,
    order_id,
    invoice_date,
    due_on,
    currency,
    net,
    vat,
    gross,
    payable,
    source
from staging.invoice_document
