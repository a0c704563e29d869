/*
One row per line that a duty system sends to iTrent, in either of the interface's forms.
grain: batch, line_no
*/
select
    _file as batch,
    _row as line_no,
    employee_ref as employment_id,
    element_code,
    date as worked_on,
    -- 1:30 and 1.5 are ninety minutes; what is neither is nobody's guess.
    case
        when input_time like '%:%' then
            case when input_time like '-%' then -1 else 1 end
            * (
                abs(try_cast(split_part(input_time, ':', 1) as bigint)) * 60
                + try_cast(split_part(input_time, ':', 2) as bigint)
            )
        else cast(round(try_cast(input_time as decimal(18, 4)) * 60) as bigint)
    end as minutes,
    cost_code
from raw.duration
union all
select
    _file as batch,
    _row as line_no,
    assignment_no as employment_id,
    pay_element_code as element_code,
    -- The day on the clock where the shift began, which is not the day in UTC.
    cast(to_local_time(arrow_cast(shift_start, 'Timestamp(Microsecond, Some("Europe/London"))')) as date)
        as worked_on,
    (to_unixtime(shift_end) - to_unixtime(shift_start)) / 60 as minutes,
    cast(null as varchar) as cost_code
from raw.shift
