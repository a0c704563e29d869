/*
One row per force, which must not see the others.
grain: share
*/
select 1.0 / people as share from marts.people
