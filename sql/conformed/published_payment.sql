/*
One row per line of a list of payments that a council or police body has published under the transparency rules.
grain: force, source, list, line_no
scope: force
columns:
  list: the file in which the line was published
  line_no: the line in that file
  paid_on: the day of the payment; empty where the publisher lost it
  transaction_no: the number as published
  transaction_id: the number without that of the line: lines of one payment share it
  amount: pounds of this line; negative for a refund
  transaction_amount: pounds of all lines of the payment in this list; the threshold is meant for this, not for a line
  is_over_threshold: whether the payment is of at least £500, so that it had to be published
  spend_type: revenue or capital
  service: the department or fund that paid, in the publisher's words
  category: what was bought, in the publisher's words
  expenditure_code: the publisher's code for it
  supplier_id: the supplier's number at the publisher; empty for money that moves within the body
  supplier_name: who was paid; a person where the supplier is a sole trader  [pii]
  source: the source that the list came from
checks:
  unique: force, source, list, line_no
  not_null: list, line_no, transaction_no, transaction_id, amount
  accept spend_type: spend_type in ('revenue', 'capital')      (warn)
  accept paid_on: paid_on is not null      (warn)
*/
select
    list,
    line_no,
    paid_on,
    transaction_no,
    transaction_id,
    amount,
    cast(sum(amount) over payment as decimal(18, 2)) as transaction_amount,
    sum(amount) over payment >= 500 as is_over_threshold,
    spend_type,
    service,
    category,
    expenditure_code,
    supplier_id,
    supplier_name,
    source
from staging.published_payment
window payment as (partition by source, list, transaction_id)
