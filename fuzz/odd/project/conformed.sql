/*
One row per force and thing.
grain: force, thing_id
scope: force
columns:
  thing_id: the thing's number
  price: what it cost, in pounds
  day: when it was bought  [pii]
checks:
  unique: force, thing_id
  not_null: thing_id
  accept price: price >= 0  (warn)
*/
select thing_id, cast(price as decimal(18, 2)) as price, day from staging.thing
