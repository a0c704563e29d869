/*
One row per person, by a name that is not there.
*/
select
    person_id,
    first_name
from staging.person
