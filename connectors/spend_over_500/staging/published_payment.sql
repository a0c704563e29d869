/*
One row per line of a list of payments that a body has published.
grain: list, line_no
*/
select
    _file as list,
    _row as line_no,
    paid_on,
    transaction_no,
    -- A payment that was split over codes has lines of one number: 46281108_1 in some years, 46281108 - 1 in others.
    regexp_replace(trim(transaction_no), '\s*[-_]\s*[0-9]+$', '') as transaction_id,
    amount,
    lower(spend_type) as spend_type,
    trim(service) as service,
    trim(category) as category,
    expenditure_code,
    nullif(trim(supplier_id), '') as supplier_id,
    nullif(trim(supplier_name), '') as supplier_name
from raw.payment
