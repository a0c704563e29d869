/*
One row per line of an Oracle invoice; VAT is a line of its own.
grain: invoice_id, line_no
*/
select
    cast(lines.invoice_id as text) as invoice_id,
    lines.line_number as line_no,
    case lines.line_type_lookup_code
        when 'ITEM' then 'item'
        when 'TAX' then 'vat'
        when 'FREIGHT' then 'freight'
        else 'other'
    end as line_type,
    lines.description,
    lines.amount,
    lines.tax_classification_code as vat_code,
    codes.segment3 as account,
    codes.segment2 as cost_centre,
    cast(lines.po_header_id as text) as order_id,
    order_lines.line_num as order_line_no
from raw.ap_invoice_line as lines
left join raw.gl_code_combination as codes on lines.default_dist_ccid = codes.code_combination_id
left join raw.po_line as order_lines on lines.po_line_id = order_lines.po_line_id
