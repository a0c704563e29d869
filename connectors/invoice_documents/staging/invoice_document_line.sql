/*
One row per line of a document that could be read, as the document states it.
grain: document_id, line_no
*/
select
    document_id,
    ordinal as line_no,
    item_name,
    quantity,
    unit,
    price,
    price_quantity,
    net,
    vat_category,
    vat_rate,
    order_line
from raw.line
