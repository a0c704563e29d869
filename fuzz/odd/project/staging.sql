/*
feeds: thing
*/
select id as thing_id, price, day from raw.thing
