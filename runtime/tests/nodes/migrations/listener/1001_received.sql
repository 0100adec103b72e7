create table received (
    kind text not null,
    id uuid not null,
    text text not null,
    times integer not null default 1,
    primary key (kind, id)
);
