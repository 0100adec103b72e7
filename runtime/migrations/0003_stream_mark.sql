-- Which event stands at which number of the own stream. A commit leaves the outbox only once a mark with a number as
-- high as its events' is written: so a stream that lost its tail, and filled the same numbers with other events since,
-- no longer has what the newest mark says. Everything below `floor` is in the stream at or below the mark's number.
create table stream_mark (
    sequence bigint primary key,
    event_id uuid not null,
    floor_era bigint not null,
    floor_xid bigint not null,
    at timestamptz not null default clock_timestamp()
);

-- A refill goes down to here: what lies below is in the stream still. All of it where nothing is known.
alter table refill
    add column floor_era bigint not null default 0,
    add column floor_xid bigint not null default 0;
