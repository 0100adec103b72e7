-- The provider's messages that were taken in: each counts once. Kept for as long as the provider may send one again.
create table provider_notices (
    provider    text        not null,
    id          text        not null,
    received_at timestamptz not null,
    primary key (provider, id)
);

create index provider_notices_by_age on provider_notices (received_at);

-- When the payment is read at the provider once more: after every idempotency key of its first day is forgotten.
alter table payments add column read_again_at timestamptz default clock_timestamp() + interval '25 hours';

create index payments_to_read_again on payments (read_again_at) where read_again_at is not null;
