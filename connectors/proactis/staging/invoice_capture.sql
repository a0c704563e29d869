/*
One row per document in Proactis.
grain: document_id
*/
with

-- What the characters were taken to mean, corrections included.
meanings as (
    select
        doc_id,
        max(case when field = 'INVOICE_NO' then value end) as invoice_no,
        max(case when field = 'INVOICE_DATE' then try_cast(value as date) end) as invoice_date,
        max(case when field = 'NET' then try_cast(value as decimal(18, 2)) end) as net,
        max(case when field = 'VAT' then try_cast(value as decimal(18, 2)) end) as vat,
        max(case when field = 'GROSS' then try_cast(value as decimal(18, 2)) end) as gross
    from raw.field_capture
    group by doc_id
),

-- An amount that is no English amount beyond doubt is none: 1.000,00 is not one pound.
amounts as (
    select
        doc_id,
        case when net_raw ~ '^£?-?\d{1,3}(,?\d{3})*(\.\d{2})?$' then replace(replace(net_raw, '£', ''), ',', '') end as net,
        case when vat_raw ~ '^£?-?\d{1,3}(,?\d{3})*(\.\d{2})?$' then replace(replace(vat_raw, '£', ''), ',', '') end as vat,
        case when gross_raw ~ '^£?-?\d{1,3}(,?\d{3})*(\.\d{2})?$' then replace(replace(gross_raw, '£', ''), ',', '') end as gross
    from raw.document
)

select
    documents.doc_id as document_id,
    lower(documents.channel) as channel,
    documents.received_ts as received_at,
    lower(documents.format) as format,
    documents.pages,
    documents.ocr_confidence as confidence,
    documents.supplier_ref_raw as supplier_text,
    coalesce(meanings.invoice_no, documents.invoice_no_raw) as invoice_number_text,
    -- Days that come as data are written 2024-04-02; anything else was read, or is left alone.
    coalesce(meanings.invoice_date, try_cast(documents.invoice_date_raw as date)) as invoice_date,
    coalesce(meanings.net, cast(amounts.net as decimal(18, 2))) as net,
    coalesce(meanings.vat, cast(amounts.vat as decimal(18, 2))) as vat,
    coalesce(meanings.gross, cast(amounts.gross as decimal(18, 2))) as gross,
    documents.po_raw as order_text,
    documents.currency,
    documents.ledger_doc_no as invoice_id
from raw.document as documents
inner join amounts on documents.doc_id = amounts.doc_id
left join meanings on documents.doc_id = meanings.doc_id
