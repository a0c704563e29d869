/*
One row per reason for which Proactis stopped a document.
grain: document_id, exception_no
*/
select
    doc_id as document_id,
    cast(row_number() over (partition by doc_id order by opened_ts, code) as bigint) as exception_no,
    case code
        when 'NO_PO' then 'no order'
        when 'PO_CLOSED' then 'order closed'
        when 'QTY_GT_RECEIPT' then 'over receipt'
        when 'PRICE_TOL' then 'price'
        when 'DUPLICATE' then 'duplicate'
        when 'VAT_CALC' then 'vat'
        when 'SUPPLIER_UNKNOWN' then 'supplier unknown'
        when 'BANK_MISMATCH' then 'bank'
        when 'UNREADABLE' then 'unreadable'
        when 'TOTALS' then 'totals'
    end as code,
    opened_ts as opened_at,
    closed_ts as closed_at,
    resolution,
    owner,
    -- The document's own amount: conformed.invoice_exception fills it in.
    cast(null as decimal(18, 2)) as value
from raw.exception
