/*
One row per person, read from the right.
grain: person_id
*/
select person_id from marts.people
