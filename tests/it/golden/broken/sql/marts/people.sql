/*
One row for the hub.
grain: people
scope: hub
*/
select count(*) as people, null as nothing from conformed.person
