/*
One row per post, which knows its unit.
grain: post_id
*/
select unit_id as post_id from conformed.unit
