/*
One row per line of an eFinancials invoice or credit note, credit notes negative.
grain: invoice_id, line_no
*/
select
    lines.doc_no as invoice_id,
    lines.line as line_no,
    case lines.line_type
        when 'G' then 'item'
        when 'V' then 'vat'
        when 'C' then 'freight'
    end as line_type,
    lines.description,
    -- eFinancials keeps credit notes as positive amounts; only the document says what it is.
    case when documents.doc_type = 'CRN' then -lines.net else lines.net end as amount,
    lines.vat_code,
    lines.account,
    lines.cost_centre,
    lines.po_no as order_id,
    lines.po_line as order_line_no
from raw.invoice_line as lines
inner join raw.invoice as documents on lines.doc_no = documents.doc_no
-- A pro forma asks for money and is no invoice.
where documents.doc_type <> 'PRO'
