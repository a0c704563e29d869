/*
One row per Unit4 supplier document, credit notes negative.
grain: invoice_id
*/
with

items as (
    select voucher_no, apar_id, ext_inv_ref, voucher_type, voucher_date, arrival_date, due_date, amount, order_id, status
    from raw.supplier_open
    union all
    select voucher_no, apar_id, ext_inv_ref, voucher_type, voucher_date, arrival_date, due_date, amount, order_id, status
    from raw.supplier_settled
),

-- The supplier's ledger keeps what is to be paid; the VAT in it is a line of the general ledger.
vat as (
    select
        voucher_no,
        sum(amount) as vat
    from raw.gl_trans
    where trans_type = 'TX'
    group by voucher_no
)

select
    items.voucher_no as invoice_id,
    items.apar_id as supplier_id,
    coalesce(nullif(trim(items.ext_inv_ref), ''), items.voucher_no) as supplier_reference,
    case items.voucher_type
        when 'IN' then 'invoice'
        when 'CN' then 'credit note'
    end as document_type,
    items.voucher_date as invoice_date,
    items.arrival_date as received_on,
    -- These three are the capturing system's to know (conformed.invoice_capture, invoice_event).
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as registered_at,
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as matched_at,
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as approved_at,
    items.due_date as due_on,
    cast(items.amount - coalesce(vat.vat, 0) as decimal(18, 2)) as net,
    cast(coalesce(vat.vat, 0) as decimal(18, 2)) as vat,
    items.amount as gross,
    nullif(trim(items.order_id), '') as order_id,
    case
        when items.status = 'P' then 'queried'
        when items.status = 'N' then 'registered'
        -- On a payment proposal, or already at the bank.
        when items.status in ('R', 'I') then 'approved'
        when items.status = 'C' then 'paid'
    end as status
from items
left join vat on items.voucher_no = vat.voucher_no
where items.voucher_type in ('IN', 'CN')
