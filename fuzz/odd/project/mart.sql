/*
One row per force and day.
grain: force, day
columns:
  day: when things were bought
  price: what they cost
checks:
  unique: force, day
*/
select day, sum(price) as price from conformed.thing group by day
