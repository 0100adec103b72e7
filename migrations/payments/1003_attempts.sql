-- Attempts of the buyer: several cards may be tried, and the card's issuer may ask the buyer for more.

alter table payments
    -- The order named its method: its first decline is its last. So it was for every payment from before.
    add column at_once       boolean not null default true,
    -- The card's issuer wants the buyer to confirm the charge.
    add column awaits_action boolean not null default false,
    -- The attempts that were declined, by the provider's ids.
    add column declines      jsonb   not null default '[]';

alter table sim_intent drop constraint sim_intent_status_check;
alter table sim_intent add constraint sim_intent_status_check
    check (status in ('requires_payment_method', 'requires_action', 'succeeded', 'canceled'));
