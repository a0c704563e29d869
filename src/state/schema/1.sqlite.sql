create table if not exists runs (
    run         text primary key,
    pipeline    text not null,
    started_at  integer not null,       -- microseconds since 1970, UTC, as every instant here
    finished_at integer,
    outcome     text not null,          -- running, succeeded, partial, failed
    release     integer                 -- the release it published, if it did
);

create table if not exists steps (
    run         text not null references runs (run),
    step        integer not null,
    force       text,                   -- null for steps over the whole hub
    kind        text not null,          -- pull, build, check, release
    name        text not null,          -- source and entity, or model
    started_at  integer not null,
    finished_at integer not null,
    outcome     text not null,          -- succeeded, unchanged, failed
    rows        integer,
    message     text,
    primary key (run, step)
);

create table if not exists checks (
    run         text not null references runs (run),
    force       text,                   -- null for hub-scope models
    model       text not null,
    rule        text not null,          -- the words of the header
    severity    text not null,          -- block, warn
    failing     integer not null,
    checked     integer not null
);

create table if not exists queries (
    query       integer primary key autoincrement,
    started_at  integer not null,
    principal   text not null,
    peer        text not null,          -- address of the client, or 'local'
    statement   text not null,
    release     integer not null,
    tables      text not null,          -- comma separated
    forces      text not null,          -- comma separated, or '*'
    finished_at integer,
    outcome     text,                   -- null while running; succeeded, failed, cancelled
    rows        integer,
    bytes       integer,
    parameters  text                    -- JSON list of rows; null when none are bound
);
