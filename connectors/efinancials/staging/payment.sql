/*
One row per eFinancials payment and document that it settles.
grain: payment_id, invoice_id
*/
select
    payment_no as payment_id,
    doc_no as invoice_id,
    supplier_id,
    pay_date as paid_on,
    amount,
    method,
    void_flag as is_void
from raw.payment
