/*
One row per person, checked in every wrong way.
grain: force, person_id
checks:
  unique: person_id (<= many rows)
  row_count: at least 1 (<= 5 rows)
  row_count: twenty
  fresh surname: 40 days
  fresh posted_on: 40 days
  reconcile people: count(*)
  reconcile people: count(*) = (select count(*) from conformed.nobody)
  reconcile people: sum(surnam) = (select count(*) from conformed.person)
*/
select person_id, surname
from conformed.person
