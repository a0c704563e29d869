/*
One row per force, post and period: how many full-time equivalents the budget pays for, whether the post is held or vacant.
grain: force, post_id, valid_from
scope: force
columns:
  post_id: the post's number in the HR system
  post_title: title of the post
  unit_code: organisational unit
  rank_code: Home Office rank by reference.rank_map; unmapped when the grade is not listed there
  grade: rank or pay grade as the HR system writes it
  budget_fte: full-time equivalents that the budget pays for; one post may stand for several people
  valid_from: first day of the period
  valid_to: day after the last day of the period; 9999-12-31 while open
  source: the HR source that holds the post
checks:
  unique: force, post_id, valid_from
  not_null: post_id, rank_code, budget_fte, valid_from, valid_to
  accept valid_to: valid_from < valid_to
  accept budget_fte: budget_fte >= 0
  accept rank_code: rank_code <> 'unmapped'  (warn)
  relate rank_code: reference.rank.code  (warn)
  relate unit_code: conformed.unit.unit_code  (warn)
*/
with

posts as (
    select
        post_id,
        post_title,
        unit_code,
        grade,
        budget_fte,
        valid_from,
        -- A back-dated change leaves the period before it open: the later start ends it.
        least(valid_to, lead(valid_from) over (partition by post_id order by valid_from)) as valid_to,
        source
    from staging.establishment
),

rank_map as (
    select grade, rank_code
    from reference.rank_map
)

select
    posts.post_id,
    posts.post_title,
    posts.unit_code,
    coalesce(rank_map.rank_code, 'unmapped') as rank_code,
    posts.grade,
    posts.budget_fte,
    posts.valid_from,
    posts.valid_to,
    posts.source
from posts
left join rank_map on posts.grade = rank_map.grade
where posts.valid_from < posts.valid_to
