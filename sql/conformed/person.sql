/*
One row per force and person whom the force employs or has employed.
grain: force, person_id
scope: force
columns:
  person_id: the person's number in the force's HR system
  ni_token: fingerprint of the National Insurance number, the same at every force; empty without a permanent number  [pii]
  surname: family name  [pii]
  forenames: given names  [pii]
  birth_date: date of birth  [pii]
  sex: F, M or X (other); empty when not recorded
  started_on: first day of service with the force
  ended_on: last day of service; 9999-12-31 while serving
  source: the HR source that holds the person
checks:
  unique: force, person_id
  not_null: person_id, surname, forenames, started_on, ended_on
  accept sex: sex in ('F', 'M', 'X')
  accept ended_on: started_on <= ended_on  (warn)
*/
select
    person_id,
    ni_token,
    surname,
    forenames,
    birth_date,
    sex,
    started_on,
    ended_on,
    source
from staging.person
