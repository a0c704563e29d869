/* A thing of a folder without a contract. */
select 1 as thing_id
