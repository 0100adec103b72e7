-- The buyer was asked to confirm the charge: whoever shows the order to its buyer asks payments for the rest.
alter table orders add column action_required boolean not null default false;
