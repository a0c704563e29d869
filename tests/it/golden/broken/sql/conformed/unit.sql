/*
One row per unit, which knows its posts.
grain: unit_id
*/
select post_id as unit_id from conformed.post
