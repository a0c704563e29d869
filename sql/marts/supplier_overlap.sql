/*
Suppliers that more than one force pays: one row per VAT number found at two forces or more.
grain: vat_number
scope: hub
columns:
  vat_number: the VAT registration that the forces have in common
  forces: how many forces have a supplier with it
  suppliers: how many supplier records carry it, over all forces
  invoice_gross: pounds invoiced by these suppliers, VAT included, credit notes taken off, cancelled documents left out
checks:
  unique: vat_number
  not_null: vat_number, forces, suppliers, invoice_gross
  accept forces: forces >= 2
  accept suppliers: suppliers >= forces
*/
with

invoiced as (
    select
        force,
        supplier_id,
        sum(gross) as gross
    from conformed.invoice
    where status <> 'cancelled'
    group by force, supplier_id
)

select
    suppliers.vat_number,
    count(distinct suppliers.force) as forces,
    count(*) as suppliers,
    cast(coalesce(sum(invoiced.gross), 0) as decimal(18, 2)) as invoice_gross
from conformed.supplier as suppliers
left join invoiced
    on suppliers.force = invoiced.force
    and suppliers.supplier_id = invoiced.supplier_id
where suppliers.vat_number is not null
group by suppliers.vat_number
having count(distinct suppliers.force) >= 2
