/*
One row per person, as it was.
grain: person_id
*/
select person_id from staging.person
