-- Payments: one per order, its refunds, and what the simulated provider remembers.

create table payments (
    -- Made from the order's id: the same order has the same payment, whoever asks first.
    id                      uuid primary key,
    order_id                uuid        not null unique,
    -- What is owed and by whom; unknown in a tombstone, which closes a payment before anybody opened it.
    order_number            text,
    user_id                 uuid,
    amount                  bigint check (amount > 0),
    currency                text check (currency ~ '^[A-Z]{3}$'),
    payment_provider        text        not null,
    -- The provider's object, committed before anything can confirm it.
    provider_transaction_id text unique,
    payment_method          text,
    status                  text        not null check (status in
        ('pending', 'processing', 'succeeded', 'failed', 'cancelled', 'partially_refunded', 'refunded')),
    -- The provider was asked to create the object and has not answered yet.
    creating                boolean     not null default false,
    -- On its way to an end: the provider must confirm its cancel first.
    closing                 text check (closing in ('cancel', 'decline')),
    -- The order is over: money that is found goes back.
    order_ended             boolean     not null default false,
    intent_told             boolean     not null default false,
    failure_code            text,
    failure_message         text,
    captured                bigint      not null default 0 check (captured >= 0),
    refunded                bigint      not null default 0 check (refunded >= 0),
    -- Asked of the provider and not answered yet.
    refunding               bigint      not null default 0 check (refunding >= 0),
    automatic_refund        boolean     not null default false,
    -- Counts the payment's events, without a gap; 0 before the first.
    version                 bigint      not null default 0 check (version >= 0),
    processed_at            timestamptz,
    created_at              timestamptz not null,
    updated_at              timestamptz not null,
    check ((amount is null) = (currency is null) and (amount is null) = (order_number is null)),
    check (refunded + refunding <= captured),
    check ((status in ('succeeded', 'partially_refunded', 'refunded')) = (captured > 0)),
    check ((status = 'refunded') = (captured > 0 and refunded = captured)),
    check ((status = 'partially_refunded') = (refunded > 0 and refunded < captured)),
    -- Ended without money: nothing is in flight that could still be charged.
    check (status not in ('failed', 'cancelled') or (not creating and closing is null)),
    check (status <> 'failed' or failure_code is not null),
    check ((failure_code is null) = (failure_message is null))
) with (fillfactor = 70);

create table refunds (
    id                 uuid primary key,
    payment_id         uuid        not null references payments (id),
    amount             bigint      not null check (amount > 0),
    currency           text        not null check (currency ~ '^[A-Z]{3}$'),
    reason             text,
    status             text        not null check (status in ('pending', 'succeeded', 'failed')),
    -- Made because money came for an order that is over.
    automatic          boolean     not null default false,
    provider_refund_id text,
    failure_code       text,
    failure_message    text,
    processed_at       timestamptz,
    created_at         timestamptz not null,
    updated_at         timestamptz not null
);

create index refunds_of_payment on refunds (payment_id, created_at);
-- An automatic refund is one row.
create unique index refunds_automatic on refunds (payment_id) where automatic;

-- The simulated provider's own memory: committed before it answers, never read by the domain.
create table sim_intent (
    -- Made from the idempotency key: the same key gives the same object, for ever.
    id              text primary key,
    amount          bigint      not null check (amount > 0),
    currency        text        not null,
    client_secret   text        not null,
    order_id        uuid        not null,
    order_number    text        not null,
    user_id         uuid,
    status          text        not null check (status in ('requires_payment_method', 'succeeded', 'canceled')),
    payment_method  text,
    refunded        bigint      not null default 0 check (refunded between 0 and amount),
    created_at      timestamptz not null default clock_timestamp()
) with (fillfactor = 70);

create table sim_refund (
    idempotency_key uuid primary key,
    id              text        not null unique,
    intent_id       text        not null references sim_intent (id),
    amount          bigint      not null check (amount > 0),
    created_at      timestamptz not null default clock_timestamp()
);
