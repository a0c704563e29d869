/*
One row per document that a supplier sent, credit notes negative; one that cannot be read has its
status and its reason only.
grain: document_id
*/
with

kinds as (
    select
        document_id,
        -- UNTDID 1001.
        case
            when type_code in ('81', '83', '261', '262', '296', '308', '381', '396', '420', '458', '532')
                then 'credit note'
            when type_code is not null then 'invoice'
        end as document_type
    from raw.document
)

select
    documents.document_id,
    documents._file as file,
    documents.status,
    documents.reason,
    documents.syntax,
    documents.confidence,
    documents.verdict,
    documents.failed_rules,
    kinds.document_type,
    documents.number as supplier_reference,
    documents.preceding_invoice as preceding_reference,
    documents.supplier_name,
    documents.supplier_vat_id,
    documents.supplier_company_id,
    documents.payment_account,
    documents.buyer_name,
    documents.buyer_reference,
    documents.order_reference as order_id,
    documents.issued_on as invoice_date,
    documents.due_on,
    documents.currency,
    -- A credit note states what it gives back as a positive amount.
    case when kinds.document_type = 'credit note' then -documents.net_total else documents.net_total end as net,
    case when kinds.document_type = 'credit note' then -documents.vat_total else documents.vat_total end as vat,
    case when kinds.document_type = 'credit note' then -documents.gross_total else documents.gross_total end as gross,
    case when kinds.document_type = 'credit note' then -documents.payable else documents.payable end as payable
from raw.document as documents
inner join kinds on documents.document_id = kinds.document_id
