/*
One row per iTrent person.
grain: person_id
*/
select
    personal_ref as person_id,
    -- TN numbers are temporary, made of birth date and sex: strangers may share one, so it joins nobody.
    case
        when upper(replace(ni_no, ' ', '')) like 'TN%' then null
        when replace(ni_no, ' ', '') = '' then null
        else encode(sha256(upper(replace(ni_no, ' ', ''))), 'hex')
    end as ni_token,
    surname,
    forenames,
    dob as birth_date,
    gender as sex,
    orig_start as started_on,
    coalesce(leaving_date, date '9999-12-31') as ended_on
from raw.person
