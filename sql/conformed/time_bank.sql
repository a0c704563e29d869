/*
One row per force, collar number, time bank and day of the balance: the hours that are owed to somebody, or by them.
grain: force, collar_no, bank, as_at
scope: force
columns:
  collar_no: collar number whose balance it is
  employment_id: employment that held the collar number on the day; empty if none did
  bank: annual leave, time off in lieu, rest days in lieu, public holidays in lieu or flexitime, by reference.time_bank; the duty system's own code when it is not listed there
  as_at: day of the balance
  balance_minutes: minutes that are owed to the person; negative when they owe them; empty when the balance cannot be read
  source: the duty source that holds the balance
checks:
  unique: force, collar_no, bank, as_at
  not_null: collar_no, bank, as_at
  accept balance_minutes: balance_minutes is not null  (warn)
  accept employment_id: employment_id is not null  (warn)
  relate bank: reference.time_bank.bank  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
with

balances as (
    select
        collar_no,
        bank,
        as_at,
        balance_minutes,
        source
    from staging.time_bank
),

holders as (
    select
        collar_no,
        employment_id,
        held_from,
        -- A number that was handed on before its holder was closed belongs to the later one.
        least(
            held_to,
            lead(held_from) over (partition by collar_no order by held_from, held_to, employment_id)
        ) as held_to
    from staging.duty_person
),

banks as (
    select vendor_code, bank
    from reference.time_bank
)

select
    balances.collar_no,
    holders.employment_id,
    -- Two codes of a force may be unknown: each keeps its own name, or they would be one bank.
    coalesce(banks.bank, balances.bank) as bank,
    balances.as_at,
    balances.balance_minutes,
    balances.source
from balances
left join holders
    on balances.collar_no = holders.collar_no
    and balances.as_at >= holders.held_from
    and balances.as_at < holders.held_to
left join banks on balances.bank = banks.vendor_code
