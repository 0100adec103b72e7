-- Payments: one per order, its refunds, and the records of the simulated provider.

create table payments (
    -- Derived from the order's id: the same order has the same payment, whichever domain needs it first.
    id                      uuid primary key,
    order_id                uuid        not null unique,
    -- The amount due and its buyer; unknown in a tombstone, which closes a payment before it was opened.
    order_number            text,
    user_id                 uuid,
    amount                  bigint check (amount > 0),
    currency                text check (currency ~ '^[A-Z]{3}$'),
    payment_provider        text        not null,
    -- The provider's object, committed before anything can confirm it.
    provider_transaction_id text unique,
    payment_method          text,
    -- The order named its payment method: the first decline is final.
    at_once                 boolean     not null default true,
    -- The card's issuer requires the buyer to confirm the charge.
    awaits_action           boolean     not null default false,
    -- The declined attempts, by the provider's ids.
    declines                jsonb       not null default '[]',
    status                  text        not null check (status in
        ('pending', 'processing', 'succeeded', 'failed', 'cancelled', 'partially_refunded', 'refunded')),
    -- The creation of the provider's object is in flight.
    creating                boolean     not null default false,
    -- Being closed: the provider must confirm the cancellation first.
    closing                 text check (closing in ('cancel', 'decline')),
    -- The order has ended: a capture is refunded.
    order_ended             boolean     not null default false,
    -- payments.intent_created was emitted.
    intent_emitted          boolean     not null default false,
    failure_code            text,
    failure_message         text,
    captured                bigint      not null default 0 check (captured >= 0),
    refunded                bigint      not null default 0 check (refunded >= 0),
    -- The amount of refunds that are in flight.
    refunding               bigint      not null default 0 check (refunding >= 0),
    -- Disputes of the charge, by the provider's ids.
    disputes                jsonb       not null default '{}',
    -- Returned by lost disputes.
    lost                    bigint      not null default 0 check (lost >= 0),
    automatic_refund        boolean     not null default false,
    -- Counts the payment's events, without a gap; 0 before the first.
    version                 bigint      not null default 0 check (version >= 0),
    processed_at            timestamptz,
    -- When the payment is read at the provider again: once its idempotency keys of the first day have expired.
    read_again_at           timestamptz default clock_timestamp() + interval '25 hours',
    created_at              timestamptz not null,
    updated_at              timestamptz not null,
    check ((amount is null) = (currency is null) and (amount is null) = (order_number is null)),
    -- Money is returned by refunds or by lost disputes.
    check (refunded + refunding + lost <= captured),
    check ((status in ('succeeded', 'partially_refunded', 'refunded')) = (captured > 0)),
    check ((status = 'refunded') = (captured > 0 and refunded + lost = captured)),
    check ((status = 'partially_refunded') = (refunded + lost > 0 and refunded + lost < captured)),
    -- Ended without a charge: nothing is in flight that could still be charged.
    check (status not in ('failed', 'cancelled') or (not creating and closing is null)),
    check (status <> 'failed' or failure_code is not null),
    check ((failure_code is null) = (failure_message is null))
) with (fillfactor = 70);

create index payments_to_read_again on payments (read_again_at) where read_again_at is not null;

create table refunds (
    id                 uuid primary key,
    payment_id         uuid        not null references payments (id),
    amount             bigint      not null check (amount > 0),
    currency           text        not null check (currency ~ '^[A-Z]{3}$'),
    reason             text,
    -- The order lines that it concerns, with quantities.
    items              jsonb       not null default '[]',
    -- Whether their units, or those of the whole order, become available again once the refund has succeeded.
    restock            boolean     not null default false,
    status             text        not null check (status in ('pending', 'succeeded', 'failed')),
    -- Requested because a capture arrived for an ended order.
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

-- The provider's notices that were received: each counts once. Kept for as long as the provider may repeat one.
create table provider_notices (
    provider    text        not null,
    id          text        not null,
    received_at timestamptz not null,
    primary key (provider, id)
);

create index provider_notices_by_age on provider_notices (received_at);

-- The simulated provider's own records: committed before it replies, never read by the domain.
create table sim_intent (
    -- Derived from the idempotency key: the same key yields the same object.
    id              text primary key,
    amount          bigint      not null check (amount > 0),
    currency        text        not null,
    client_secret   text        not null,
    order_id        uuid        not null,
    order_number    text        not null,
    user_id         uuid,
    status          text        not null check (status in
        ('requires_payment_method', 'requires_action', 'succeeded', 'canceled')),
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
