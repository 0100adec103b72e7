-- The tables of every domain. One transaction writes state, replies, inbox rows, events and effects, or none of them.

-- An epoch begins with each start of the server, so that a restored database never hides new commits behind old
-- cursors. `forked_at` is the last position before it: inbox rows of older epochs above it belong to an ended history.
create table epoch (
    epoch bigint primary key,
    -- One start of the server begins one epoch, even if several nodes find it at once.
    started timestamptz not null unique,
    forked_at bigint not null
);

-- Commands that were replied to: the same id of the same caller has one effect and one reply.
create table command_log (
    caller text not null,
    operation text not null,
    id uuid not null,
    fingerprint bytea not null,
    status smallint not null,       -- 0 for a success, else the HTTP status of the domain error
    reply bytea,                    -- MessagePack; null if the reply is a secret
    at timestamptz not null default now(),
    primary key (caller, operation, id)
);
-- Old replies are found by age. New rows take the places of deleted ones anywhere in the table, so block ranges would
-- not tell the age of their rows.
create index command_log_at on command_log (at);

-- One row per commit, kept until trimmed. Events are JSON; the digest is the count and the xor of the ids per type.
create table event_log (
    epoch bigint not null,
    xid bigint not null,
    at timestamptz not null,
    digest jsonb not null,
    events json not null,
    primary key (epoch, xid)
);
-- Faster than the default method, where the server has it.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table event_log alter column events set compression lz4;
    end if;
end $$;

-- The highest position that was trimmed, written in the transaction that deletes rows of the log: a consumer whose
-- cursor lies below it stops and alerts, because it could only skip.
create table log_trim (
    epoch bigint not null,
    xid bigint not null
);
create index log_trim_position on log_trim (epoch, xid);

-- Commits whose events the stream has not confirmed yet.
create table outbox (
    epoch bigint not null,
    xid bigint not null,
    lease_until timestamptz not null,
    primary key (epoch, xid)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
create index outbox_lease on outbox (lease_until);

-- Which event has which sequence number in the own stream. A commit leaves the outbox only after a checkpoint with a
-- number at least as high as that of its events: a stream that has lost its newest messages, and has given their
-- numbers to other events since, no longer matches the newest checkpoint. Everything below the low watermark is in the
-- stream, at or below the checkpoint's number.
create table stream_checkpoint (
    sequence bigint primary key,
    event_id uuid not null,
    low_watermark_epoch bigint not null,
    low_watermark_xid bigint not null,
    at timestamptz not null default clock_timestamp()
);
create index stream_checkpoint_at on stream_checkpoint (at);

-- The number of messages missing from the middle of the own stream that were republished. A higher count means a new
-- gap.
create table stream_gap (
    is_only boolean primary key check (is_only),
    count bigint not null
);
insert into stream_gap values (true, 0);

-- A lost stream is filled from the log, newest first: everything below this position is still to be published, down to
-- the low watermark. What lies below that is still in the stream.
create table republish (
    is_only boolean primary key check (is_only),
    epoch bigint not null,
    xid bigint not null,
    low_watermark_epoch bigint not null default 0,
    low_watermark_xid bigint not null default 0
);

-- Events of other domains that were handled, above the cursor of their type. `id_hash` is the low half of the id.
create table inbox (
    source text not null,
    event_id uuid not null,
    name text not null,
    epoch bigint not null,
    xid bigint not null,
    id_hash bigint not null,
    primary key (source, event_id)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index inbox_position on inbox (source, epoch, xid);

-- All events of the type at or below it were handled.
create table cursor (
    source text not null,
    name text not null,
    epoch bigint not null,
    xid bigint not null,
    primary key (source, name)
);

-- The newest epoch of a source that was seen.
create table source_epoch (
    source text primary key,
    epoch bigint not null
);

-- Failed runs of an event. Counted before each run, so that an event that kills the process is dead-lettered too.
create table attempt (
    source text not null,
    event_id uuid not null,
    count int not null,
    at timestamptz not null default clock_timestamp(),
    primary key (source, event_id)
);
create index attempt_at on attempt (at);

-- Events that could not be handled, with the reason. They count as handled; a redrive deletes the row.
create table dead_letter (
    source text not null,
    event_id uuid not null,
    name text not null,
    head jsonb not null,
    payload bytea not null,
    reason text not null,
    attempts int not null,
    dead_lettered_at timestamptz not null default clock_timestamp(),
    primary key (source, event_id)
);
create index dead_letter_at on dead_letter (dead_lettered_at, event_id);
create index dead_letter_event on dead_letter (event_id);

-- Calls of external systems. One at a time per entity, in the order of `number`, never later than its lease.
create table effect (
    id uuid primary key,
    number bigint generated always as identity,
    name text not null,
    entity uuid not null,
    cause jsonb not null,
    body text not null,
    attempts int not null default 1,
    -- Runs that began and neither succeeded nor failed, because the process died. Beyond a limit it is not run again.
    unfinished int not null default 0,
    lease_until timestamptz not null,
    next_at timestamptz not null default clock_timestamp(),
    reason text,
    dead_lettered_at timestamptz
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
create index effect_entity on effect (entity, number);
-- By the time at which it may be performed: the end of its lease or of its pause, whichever is later.
create index effect_due on effect (greatest(lease_until, next_at), number) where dead_lettered_at is null;
create index effect_failing on effect (attempts) where dead_lettered_at is null and attempts > 10;
-- Contains no effect whose first run finishes.
create index effect_unfinished on effect (unfinished) where dead_lettered_at is null and unfinished > 1;
create index effect_dead_lettered on effect (dead_lettered_at, id) where dead_lettered_at is not null;

-- Everything that waits for an operator: events that could not be handled, effects that could not be performed.
create view dead_lettered as
    select 'event' as kind, event_id as id, source, name, null::uuid as entity, head, payload, reason, attempts,
           dead_lettered_at
    from dead_letter
    union all
    select 'effect', id, null, name, entity, null, null, coalesce(reason, ''), attempts, dead_lettered_at
    from effect where dead_lettered_at is not null;

-- Leader leases. An optimization only: two holders duplicate work but break nothing.
create table lease (
    name text primary key,
    holder uuid not null,
    until timestamptz not null
);
