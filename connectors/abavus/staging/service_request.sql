/*
One row per Abavus request, with the job that it made.
grain: request_id
*/
with

photos as (
    select
        number,
        count(*) as photos
    from raw.attachment
    where mime_type like 'image/%'
    group by number
)

select
    requests.number as request_id,
    -- ABANDONED_17821_C is the form ABANDONED; the number and the letter are the vendor's.
    regexp_replace(requests.form, '_[0-9]+_[A-Z]$', '') as service,
    cast(null as varchar) as lgsl,
    cast(null as varchar) as lgil,
    case
        when upper(requests.channel) in ('PHONE', 'WEB', 'EMAIL', 'MOBILE') then lower(requests.channel)
        when upper(requests.channel) = 'F2F' then 'in person'
        when requests.channel is not null then 'other'
    end as channel,
    lower(requests.reporter_type) as reporter_type,
    cast(null as varchar) as logged_by,
    cast(null as varchar) as on_behalf_of,
    requests.team as owner_team,
    -- The statuses of an interface to another system have its name in front.
    regexp_replace(requests.status, '^FMS_-_|_[0-9]+_[A-Z]$', '', 'g') as status,
    cast(null as varchar) as outcome,
    cast(null as boolean) as is_first_contact,
    requests.submitted_at as opened_at,
    arrow_cast(null, 'Timestamp(Microsecond, Some("UTC"))') as responded_at,
    requests.target_at,
    requests.allocated_at,
    requests.started_at,
    requests.completed_at,
    requests.closed_at,
    requests.crew,
    nullif(ltrim(requests.uprn, '0'), '') as uprn,
    -- Six decimals are a hand's breadth; the phone's other digits are noise.
    cast(round(requests.latitude, 6) as decimal(9, 6)) as latitude,
    cast(round(requests.longitude, 6) as decimal(9, 6)) as longitude,
    coalesce(photos.photos, 0) as photos
from raw.request as requests
left join photos on requests.number = photos.number
