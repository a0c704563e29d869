/*
One row per eFinancials code, period and kind of balance.
grain: account, cost_centre, fin_year, period, balance_type
*/
select
    case balance_type
        when 'A' then 'actual'
        when 'B' then 'budget'
        when 'C' then 'commitment'
        when 'O' then 'opening'
    end as balance_type,
    account,
    cost_centre,
    fin_year,
    period,
    amount
from raw.gl_balance
