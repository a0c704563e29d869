/*
One row per Agresso payment and voucher that it settles.
grain: payment_id, invoice_id
*/
select
    pay_id as payment_id,
    voucher_no as invoice_id,
    apar_id as supplier_id,
    pay_date as paid_on,
    amount,
    pay_method as method,
    cancelled as is_void
from raw.payment
