-- Access tokens that ended before their time. Every node reads them by position, and a reader that has seen a position never
-- looks below it: so a position must become visible after every lower one. The row of the head is locked by whoever takes
-- the next position, until that transaction ends.
create table revocation_head (
    id       boolean primary key default true check (id),
    position bigint  not null default 0
);

insert into revocation_head default values;

create table revocations (
    position      bigint      primary key,
    -- Tells a row from the one that had its position before the database was restored.
    id            uuid        not null default gen_random_uuid(),
    -- Either all tokens of an account below a version, or those of a session.
    user_id       uuid,
    least_version bigint      check ((least_version is null) = (user_id is null)),
    session_id    uuid        check ((session_id is null) <> (user_id is null)),
    -- No token that it concerns is valid any more.
    expires_at    timestamptz not null
);

create index revocations_of_user on revocations (user_id, least_version) where user_id is not null;
create index revocations_of_session on revocations (session_id) where session_id is not null;
create index revocations_by_end on revocations (expires_at);
