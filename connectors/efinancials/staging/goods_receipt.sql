/*
One row per eFinancials goods received note and order line.
grain: receipt_id, order_id, line_no
*/
select
    grn_no as receipt_id,
    po_no as order_id,
    line as line_no,
    receipt_date as received_on,
    qty as quantity,
    user_id as received_by
from raw.goods_receipt
