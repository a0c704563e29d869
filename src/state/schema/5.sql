create table audit_heads (
    writer      text not null,          -- one opening of the record of reads
    minute      bigint not null,        -- since 1970; of each one, the newest line
    seq         bigint not null,
    hash        text not null,
    kept_at     bigint not null,
    primary key (writer, minute)
);
