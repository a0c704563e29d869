/* An absence. */
select number as employment_id from raw.absence
