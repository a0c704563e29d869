/*
One row per balance of a Northgate time bank.
grain: collar_no, bank, as_at
*/
select
    collar_no,
    -- The vendor's code; reference.time_bank says what it means.
    upper(trim(bank)) as bank,
    as_at,
    -- 112:45 and 112.75 are the same, -0:20 is twenty minutes owed; what is neither is nobody's guess.
    case
        when balance_hrs like '%:%' then
            case when balance_hrs like '-%' then -1 else 1 end
            * (
                abs(try_cast(split_part(balance_hrs, ':', 1) as bigint)) * 60
                + try_cast(split_part(balance_hrs, ':', 2) as bigint)
            )
        else cast(round(try_cast(balance_hrs as decimal(18, 4)) * 60) as bigint)
    end as balance_minutes
from raw.timebank
