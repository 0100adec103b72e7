-- The records of the sandbox, in a database of its own. Run at every start.
create table if not exists intent (
    id                 text primary key,
    number             bigint generated always as identity,
    amount             bigint      not null check (amount > 0),
    currency           text        not null,
    client_secret      text        not null,
    metadata           jsonb       not null,
    status             text        not null,
    payment_method     text,
    last_payment_error jsonb,
    -- When it is charged, if that is after the reply to its confirm.
    settle_at          timestamptz,
    created_at         timestamptz not null default clock_timestamp()
);

create index if not exists intent_to_settle on intent (settle_at) where status = 'processing';
create index if not exists intent_by_metadata on intent using gin (metadata);

-- Money that was taken. Nothing here keeps an intent from being charged twice: tests count that.
create table if not exists charge (
    id         text primary key,
    intent_id  text        not null references intent (id),
    amount     bigint      not null,
    created_at timestamptz not null default clock_timestamp()
);

create index if not exists charge_of_intent on charge (intent_id);

create table if not exists refund (
    id         text primary key,
    number     bigint generated always as identity,
    intent_id  text        not null references intent (id),
    amount     bigint      not null check (amount > 0),
    metadata   jsonb       not null,
    status     text        not null default 'succeeded',
    -- When it fails after all; null unless it does.
    fails_at   timestamptz,
    created_at timestamptz not null default clock_timestamp()
);

create index if not exists refund_of_intent on refund (intent_id, number);
create index if not exists refund_to_fail on refund (fails_at) where status = 'succeeded' and fails_at is not null;

create table if not exists dispute (
    id         text primary key,
    number     bigint generated always as identity,
    intent_id  text        not null references intent (id),
    amount     bigint      not null check (amount > 0),
    status     text        not null check (status in ('needs_response', 'won', 'lost')),
    created_at timestamptz not null default clock_timestamp()
);

create index if not exists dispute_of_intent on dispute (intent_id, number);

create table if not exists idempotency_key (
    key         text primary key,
    fingerprint text        not null,
    status      integer     not null,
    answer      text        not null,
    created_at  timestamptz not null default clock_timestamp()
);

create table if not exists webhook (
    number     bigint generated always as identity primary key,
    -- The same where one event is sent twice.
    event_id   text        not null,
    intent_id  text        not null,
    type       text        not null,
    body       text        not null,
    -- Null where it is signed as it should be.
    forgery    text check (forgery in ('other_secret', 'too_old', 'unsigned')),
    due_at     timestamptz not null,
    attempts   integer     not null default 0,
    -- Of the last attempt; null without a reply.
    answered   integer,
    ended_at   timestamptz
);

create index if not exists webhook_due on webhook (due_at) where ended_at is null;
