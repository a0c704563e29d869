-- For SQLite and PostgreSQL alike: SQLite keeps a bigint as any other integer.

alter table runs add column slot    bigint;                     -- the instant it was scheduled for; null: by hand
alter table runs add column attempt bigint not null default 1;  -- rises with every run that resumes another
alter table runs add column parent  text;                       -- the run that it resumes
alter table runs add column pinned  text;                       -- JSON: the versions of raw it builds from
alter table runs add column epoch   bigint not null default 0;  -- of the lease under which it ran
alter table runs add column steps   bigint not null default 0;  -- how many it has recorded
create index runs_of_pipeline on runs (pipeline, started_at);

alter table steps add column bytes bigint;

create table leases (
    name        text primary key,
    epoch       bigint not null,        -- rises by one with every acquisition, for ever
    holder      text,                   -- null: given back
    until       bigint not null,
    took_over   bigint not null         -- 1: the holder before let it expire
);

create table sources (
    source      text primary key,
    failures    bigint not null,        -- in a row
    next_try_at bigint not null
);

create table schedules (
    pipeline    text primary key,
    schedule    text not null,          -- the expression and its zone
    since       bigint not null         -- slots before this instant belong to nobody
);

create table slots (
    pipeline    text not null,
    slot        bigint not null,
    outcome     text not null,          -- taken, missed
    scheduler   text not null,          -- who was first
    recorded_at bigint not null,
    primary key (pipeline, slot)
);
