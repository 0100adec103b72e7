-- How the totals came about, by the rules of the moment of placing. Orders from before them have none.
alter table orders
    -- By rate: name, rate, inclusive, base, amount. Tax that the prices contain is only here.
    add column tax_lines       jsonb not null default '[]',
    -- By promotion, in the order in which they were applied.
    add column discounts       jsonb not null default '[]',
    -- The chosen one, with its price; null if the address has none.
    add column shipping_method jsonb,
    -- The rules that were used: kind, id, version.
    add column pricing_rules   jsonb not null default '[]';

-- What the buyer pays for the line: its price after discounts with the tax that is added to it. A refund of the line
-- returns it. Null in lines from before: total_price.
alter table order_items add column paid_amount bigint;
-- Not valid: the rows that exist have none, and need not be read under the lock.
alter table order_items add constraint order_items_paid_amount_check check (paid_amount >= 0) not valid;
