/*
One row per SAP HCM person.
grain: person_id
*/
select
    pernr as person_id,
    -- TN numbers are temporary, made of birth date and sex: strangers may share one, so it joins nobody.
    case
        when upper(replace(ni_no, ' ', '')) like 'TN%' then null
        when replace(ni_no, ' ', '') = '' then null
        else encode(sha256(upper(replace(ni_no, ' ', ''))), 'hex')
    end as ni_token,
    surname,
    forenames,
    dob as birth_date,
    case gender
        when '1' then 'M'
        when '2' then 'F'
        when '9' then 'X'
    end as sex,
    start_date as started_on,
    coalesce(leave_date, date '9999-12-31') as ended_on
from raw.person
