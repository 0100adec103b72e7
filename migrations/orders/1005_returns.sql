-- Units that return, and money that goes back and comes back again.

-- Of the line's units, available again.
alter table order_items add column returned bigint not null default 0, add check (returned between 0 and quantity);

-- The payment's version behind payment_status, where money has gone back: its events may come in any order.
alter table orders add column money_version bigint not null default 0;
