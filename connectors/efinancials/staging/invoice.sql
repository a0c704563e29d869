/*
One row per eFinancials supplier document, credit notes negative.
grain: invoice_id
*/
select
    doc_no as invoice_id,
    supplier_id,
    supplier_ref as supplier_reference,
    case doc_type
        when 'INV' then 'invoice'
        when 'CRN' then 'credit note'
    end as document_type,
    invoice_date,
    received_date as received_on,
    registered_ts as registered_at,
    matched_ts as matched_at,
    approved_ts as approved_at,
    due_date as due_on,
    -- eFinancials keeps credit notes as positive amounts.
    case when doc_type = 'CRN' then -net else net end as net,
    case when doc_type = 'CRN' then -vat else vat end as vat,
    case when doc_type = 'CRN' then -gross else gross end as gross,
    po_no as order_id,
    case status
        when 'R' then 'registered'
        when 'M' then 'matched'
        when 'Q' then 'queried'
        when 'A' then 'approved'
        when 'P' then 'paid'
        when 'X' then 'cancelled'
    end as status
from raw.invoice
-- A pro forma asks for money and is no invoice.
where doc_type <> 'PRO'
