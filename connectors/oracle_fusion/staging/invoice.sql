/*
One row per Oracle supplier invoice, credit notes negative.
grain: invoice_id
*/
with

lines as (
    select
        invoice_id,
        sum(case when line_type_lookup_code <> 'TAX' then amount else 0 end) as net,
        sum(case when line_type_lookup_code = 'TAX' then amount else 0 end) as vat,
        max(po_header_id) as po_header_id,
        min(case when po_header_id is not null then creation_date end) as matched_at
    from raw.ap_invoice_line
    group by invoice_id
),

approvals as (
    select
        invoice_id,
        max(creation_date) as approved_at
    from raw.ap_approval
    where upper(response) in ('APPROVED', 'WFAPPROVED', 'MANUALLY APPROVED')
    group by invoice_id
),

schedules as (
    select
        invoice_id,
        max(due_date) as due_on,
        bool_or(hold_flag) as is_held
    from raw.ap_payment_schedule
    group by invoice_id
)

select
    cast(invoices.invoice_id as text) as invoice_id,
    cast(invoices.vendor_id as text) as supplier_id,
    invoices.invoice_num as supplier_reference,
    case when invoices.invoice_amount < 0 then 'credit note' else 'invoice' end as document_type,
    invoices.invoice_date,
    invoices.invoice_received_date as received_on,
    invoices.creation_date as registered_at,
    lines.matched_at,
    approvals.approved_at,
    schedules.due_on,
    cast(coalesce(lines.net, invoices.invoice_amount) as decimal(18, 2)) as net,
    cast(coalesce(lines.vat, 0) as decimal(18, 2)) as vat,
    invoices.invoice_amount as gross,
    cast(lines.po_header_id as text) as order_id,
    case
        when invoices.cancelled_date is not null then 'cancelled'
        when invoices.payment_status_flag = 'Y' then 'paid'
        when schedules.is_held or invoices.wfapproval_status in ('REJECTED', 'NEEDS WFREAPPROVAL') then 'queried'
        when invoices.wfapproval_status in ('WFAPPROVED', 'MANUALLY APPROVED') then 'approved'
        when lines.po_header_id is not null then 'matched'
        else 'registered'
    end as status
from raw.ap_invoice as invoices
left join lines on invoices.invoice_id = lines.invoice_id
left join approvals on invoices.invoice_id = approvals.invoice_id
left join schedules on invoices.invoice_id = schedules.invoice_id
