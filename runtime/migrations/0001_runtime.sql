-- The tables every domain has. One transaction writes state, answers, inbox rows, events and effects, or none of them.

-- An era begins whenever the server was started anew, so that a restored database never hides new commits behind old
-- cursors. `forked_at` is the last position before it: inbox rows of older eras above it speak of a lost history.
create table era (
    era bigint primary key,
    started timestamptz not null unique,   -- one start of the server begins one era, whoever asks at once
    forked_at bigint not null
);

-- Commands that were answered: the same id of the same caller has one effect and one answer.
create table command_log (
    caller text not null,
    operation text not null,
    id uuid not null,
    fingerprint bytea not null,
    status smallint not null,       -- 0 for a reply, else the HTTP status of the refusal
    answer bytea,                   -- MessagePack; null where the answer is a secret
    at timestamptz not null default now(),
    primary key (caller, operation, id)
);
create index command_log_at on command_log using brin (at);

-- One row per commit, for ever unless told otherwise. Events are JSON; the digest is count and xor of ids per type.
create table event_log (
    era bigint not null,
    xid bigint not null,
    at timestamptz not null,
    digest jsonb not null,
    events json not null,
    primary key (era, xid)
);

-- Whoever deletes rows of the log writes here, in the same transaction, the highest position that is gone: a consumer
-- whose cursor lies below it stops and alerts, for it could only skip.
create table log_trim (
    era bigint not null,
    xid bigint not null
);

-- Commits whose events the stream has not confirmed yet.
create table outbox (
    era bigint not null,
    xid bigint not null,
    lease_until timestamptz not null,
    primary key (era, xid)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- A lost stream is filled again from the log, newest first: everything below this position is still to be published.
create table refill (
    is_only boolean primary key check (is_only),
    era bigint not null,
    xid bigint not null
);

-- Events of other domains that were handled, above the cursor of their type. `mark` is the low half of the id.
create table inbox (
    source text not null,
    event_id uuid not null,
    name text not null,
    era bigint not null,
    xid bigint not null,
    mark bigint not null,
    primary key (source, event_id)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index inbox_position on inbox (source, era, xid);

-- At or below it every event of this type was handled.
create table cursor (
    source text not null,
    name text not null,
    era bigint not null,
    xid bigint not null,
    primary key (source, name)
);

-- The newest era that a source was seen in.
create table source_era (
    source text primary key,
    era bigint not null
);

-- Runs of an event before its last: counted before the run, so that what kills the process is parked all the same.
create table attempt (
    source text not null,
    event_id uuid not null,
    count int not null,
    at timestamptz not null default clock_timestamp(),
    primary key (source, event_id)
);
create index attempt_at on attempt (at);

-- Events that could not be handled, with the reason. Parked counts as handled; a redrive deletes the row.
create table dead_letter (
    source text not null,
    event_id uuid not null,
    name text not null,
    head jsonb not null,
    payload bytea not null,
    reason text not null,
    attempts int not null,
    parked_at timestamptz not null default clock_timestamp(),
    primary key (source, event_id)
);

-- Work for the outside world. One at a time per entity, in the order of `number`, never later than its lease.
create table effect (
    id uuid primary key,
    number bigint generated always as identity,
    name text not null,
    entity uuid not null,
    cause jsonb not null,
    body text not null,
    attempts int not null default 1,
    lease_until timestamptz not null,
    next_at timestamptz not null default clock_timestamp(),
    reason text,
    parked_at timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
create index effect_entity on effect (entity, number);
create index effect_lease on effect (lease_until) where parked_at is null;

-- Who does a thing that one node shall do.
create table lease (
    name text primary key,
    holder uuid not null,
    until timestamptz not null
);
