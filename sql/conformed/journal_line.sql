/*
One row per line of a journal posted to a force's general ledger.
grain: force, journal_no, line_no
scope: force
columns:
  journal_no: the journal or voucher number
  line_no: the line within the journal
  fin_year: the calendar year in which the financial year starts; 2024 is 2024/25
  period: the accounting period; 1 is April, 12 is March, 0 is opening balances, 13 and 14 are year-end adjustments
  posted_at: when the line was posted to the ledger, in UTC
  transaction_date: the date the transaction bears
  account: the ledger account
  cost_centre: the cost centre charged
  subjective: the consolidated heading (reference.subjective); unmapped when the hub does not know the account or its ledger's own heading
  amount: pounds; a debit is positive, a credit negative
  is_late: whether it was posted more than five days after the period's month had ended; never outside periods 1 to 12
  entry_source: where the line came from, in the ledger's own code (journal, invoice, payroll …)
  narrative: what the poster wrote; free text that may name people  [pii]
  source: the finance system at this force that the row came from
checks:
  unique: force, journal_no, line_no
  not_null: journal_no, line_no, fin_year, period, posted_at, account, subjective, amount, is_late
  accept period: period between 0 and 14
  relate subjective: reference.subjective.code
  accept subjective: subjective <> 'unmapped'      (warn)
*/
with

lines as (
    select
        journal_no,
        line_no,
        fin_year,
        period,
        posted_at,
        transaction_date,
        account,
        cost_centre,
        amount,
        entry_source,
        narrative,
        source,
        -- The day after the period's month: 1 May 2024 for period 1 of 2024.
        make_date(fin_year + (period + 3) / 12, (period + 3) % 12 + 1, 1) as next_month
    from staging.journal_line
)

select
    lines.journal_no,
    lines.line_no,
    lines.fin_year,
    lines.period,
    lines.posted_at,
    lines.transaction_date,
    lines.account,
    lines.cost_centre,
    coalesce(headings.subjective, 'unmapped') as subjective,
    lines.amount,
    lines.period between 1 and 12
    and cast(lines.posted_at as date) >= lines.next_month + interval '5 days' as is_late,
    lines.entry_source,
    lines.narrative,
    lines.source
from lines
left join staging.ledger_code as ledger_codes
    on lines.source = ledger_codes.source
    and lines.account = ledger_codes.account
left join reference.subjective_map as headings
    on ledger_codes.subjective_code = headings.vendor_text
