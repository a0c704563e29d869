/*
One row per person.
grain: person_id
columns:
  surname: the family name  [pii]
  ni_token: joins people across systems  [pii]
checks:
  unique: force, persn_id
  accept surname: upper(surname)
  accept age: age > 16
  relate surname: reference.rank.title
  relate surname: reference.ranks.code
*/
select person_id, surname, birth_date, source from staging.person
