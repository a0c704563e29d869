/*
One row per slip of the pen.
grain: a
scope: everywhere
colums:
  a: a letter
checks:
  uniqe: a
*/
select a
form staging.person
