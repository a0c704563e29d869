create table runs (
    run         text primary key,
    pipeline    text not null,
    started_at  bigint not null,       -- microseconds since 1970, UTC, as every instant here
    finished_at bigint,
    outcome     text not null,          -- running, succeeded, partial, failed
    release     bigint                 -- the release it published, if it did
);

create table steps (
    run         text not null references runs (run),
    step        bigint not null,
    force       text,                   -- null for steps over the whole hub
    kind        text not null,          -- pull, build, check, release
    name        text not null,          -- source and entity, or model
    started_at  bigint not null,
    finished_at bigint not null,
    outcome     text not null,          -- succeeded, unchanged, failed
    rows        bigint,
    message     text,
    primary key (run, step)
);

create table checks (
    run         text not null references runs (run),
    force       text,                   -- null for hub-scope models
    model       text not null,
    rule        text not null,          -- the words of the header
    severity    text not null,          -- block, warn
    failing     bigint not null,
    checked     bigint not null
);

create table queries (
    query       bigint generated always as identity primary key,
    started_at  bigint not null,
    principal   text not null,
    peer        text not null,          -- address of the client, or 'local'
    statement   text not null,
    release     bigint not null,
    tables      text not null,          -- comma separated
    forces      text not null,          -- comma separated, or '*'
    finished_at bigint,
    outcome     text,                   -- null while running; succeeded, failed, cancelled
    rows        bigint,
    bytes       bigint,
    parameters  text                    -- JSON list of rows; null when none are bound
);
