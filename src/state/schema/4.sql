create table tokens (
    token       text primary key,       -- the id, which is part of its text
    principal   text not null,
    label       text not null,          -- what it is for
    hash        text not null,          -- SHA-256 of its text
    created_at  bigint not null,
    expires_at  bigint not null,
    revoked_at  bigint,                 -- null: it was not
    used_on     text                    -- the last day, in UTC; null: never
);
