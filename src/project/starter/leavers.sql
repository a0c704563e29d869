/*
One row per month and kind of worker, with the posts that ended in it. A mart of your own: change
it or delete it.
grain: month, worker_type
columns:
  month: the first day of the month in which the post was held last
  posts: how many posts ended
checks:
  unique: force, month, worker_type
  not_null: month, worker_type, posts
  accept posts: posts > 0
*/
select
    cast(date_trunc('month', valid_to - interval '1 day') as date) as month,
    worker_type,
    count(*) as posts
from conformed.employment
where valid_to < date '9999-12-31'
group by
    cast(date_trunc('month', valid_to - interval '1 day') as date),
    worker_type
