/*
One row per force and line that a duty system sent to payroll: what payroll was asked to pay.
grain: force, source, batch, line_no
scope: force
columns:
  batch: the file or run that carried the line
  line_no: line of the file or run
  employment_id: the employment to be paid
  element_code: pay element as payroll codes it
  worked_on: day on which the work began
  minutes: minutes to be paid; corrections are negative; empty when the line's duration cannot be read
  cost_code: cost code of the work; empty when the post's own is meant
  source: the source that holds the line
checks:
  unique: force, source, batch, line_no
  not_null: batch, line_no, employment_id, element_code, worked_on
  accept minutes: minutes is not null  (warn)
  accept day: minutes between -1440 and 1440  (warn)
  relate employment_id: conformed.employment.employment_id  (warn)
*/
select
    batch,
    line_no,
    employment_id,
    element_code,
    worked_on,
    minutes,
    cost_code,
    source
from staging.pay_input
