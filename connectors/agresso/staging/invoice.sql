/*
One row per Agresso supplier voucher, credit notes negative.
grain: invoice_id
*/
select
    voucher_no as invoice_id,
    apar_id as supplier_id,
    ext_inv_ref as supplier_reference,
    case doc_class
        when 'IN' then 'invoice'
        when 'CN' then 'credit note'
    end as document_type,
    invoice_date,
    arrival_date as received_on,
    registered_at,
    matched_at,
    approved_at,
    due_date as due_on,
    -- Credit notes are negative in Agresso itself.
    net,
    vat,
    gross,
    order_id,
    case status
        when 'N' then 'registered'
        when 'M' then 'matched'
        when 'Q' then 'queried'
        when 'A' then 'approved'
        when 'P' then 'paid'
        when 'C' then 'cancelled'
    end as status
from raw.invoice
