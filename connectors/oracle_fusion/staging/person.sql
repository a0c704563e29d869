/*
One row per person in Oracle HR, as last known.
grain: person_id
*/
with

-- A person has a row for every period in which nothing about them changed.
ranked as (
    select
        *,
        row_number() over (partition by person_id order by effective_start_date desc) as age,
        max(case when current_employee_flag then effective_end_date end) over (partition by person_id) as last_day
    from raw.hr_person
)

select
    cast(person_id as text) as person_id,
    -- TN numbers are temporary, made of birth date and sex: strangers may share one, so it joins nobody.
    case
        when upper(replace(national_identifier, ' ', '')) like 'TN%' then null
        when replace(national_identifier, ' ', '') = '' then null
        else encode(sha256(upper(replace(national_identifier, ' ', ''))), 'hex')
    end as ni_token,
    last_name as surname,
    concat_ws(' ', first_name, middle_names) as forenames,
    date_of_birth as birth_date,
    sex,
    original_date_of_hire as started_on,
    -- Oracle's end of time is 4712-12-31.
    case
        when last_day < date '4712-12-31' then last_day
        else date '9999-12-31'
    end as ended_on
from ranked
where age = 1
