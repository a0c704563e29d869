/*
One row per Oracle payment and invoice that it settles; instalments paid at once are one payment.
grain: payment_id, invoice_id
*/
select
    cast(payments.check_id as text) as payment_id,
    cast(payments.invoice_id as text) as invoice_id,
    cast(min(checks.vendor_id) as text) as supplier_id,
    min(checks.check_date) as paid_on,
    cast(sum(payments.amount) as decimal(18, 2)) as amount,
    min(checks.payment_method_code) as method,
    bool_or(checks.void_date is not null) as is_void
from raw.ap_invoice_payment as payments
inner join raw.ap_check as checks on payments.check_id = checks.check_id
-- A void check keeps its payments and gains their reversals; the void date says it already.
where payments.reversal_inv_pmt_id is null
group by payments.check_id, payments.invoice_id
