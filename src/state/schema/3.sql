create table alarms (
    alarm       text primary key,       -- what it is about
    raised_at   bigint not null
);
