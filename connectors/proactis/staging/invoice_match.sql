/*
One row per line that Proactis held against an order.
grain: document_id, line_no
*/
select
    doc_id as document_id,
    line as line_no,
    po_no as order_id,
    po_line as order_line_no,
    grn_no as receipt_id,
    qty as quantity,
    price,
    variance,
    tolerance_rule
from raw.match
