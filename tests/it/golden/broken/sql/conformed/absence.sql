/*
One row per absence, from a table that nothing provides.
grain: absence_id
*/
select absence_id from staging.absense
