/* One row in a folder that is no layer. */
select 1 as a
