/*
One row per Oracle payment and invoice that it settles.
grain: payment_id, invoice_id
*/
select
    cast(check_id as text) as payment_id,
    cast(invoice_id as text) as invoice_id,
    cast(vendor_id as text) as supplier_id,
    check_date as paid_on,
    amount,
    payment_method as method,
    void_date is not null as is_void
from raw.payment
