/*
One row per Oracle supplier invoice, credit notes negative.
grain: invoice_id
*/
select
    cast(invoice_id as text) as invoice_id,
    cast(vendor_id as text) as supplier_id,
    invoice_num as supplier_reference,
    case invoice_type
        when 'STANDARD' then 'invoice'
        when 'CREDIT' then 'credit note'
    end as document_type,
    invoice_date,
    received_date as received_on,
    created_at as registered_at,
    matched_at,
    approved_at,
    terms_date as due_on,
    -- Credit notes are negative in Oracle itself.
    net_amount as net,
    tax_amount as vat,
    invoice_amount as gross,
    cast(po_header_id as text) as order_id,
    case status
        when 'NEW' then 'registered'
        when 'MATCHED' then 'matched'
        when 'HOLD' then 'queried'
        when 'APPROVED' then 'approved'
        when 'PAID' then 'paid'
        when 'CANCELLED' then 'cancelled'
    end as status
from raw.invoice
