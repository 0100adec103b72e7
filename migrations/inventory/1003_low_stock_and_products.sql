-- `product_id` is null in the rows that exist: catalog is asked for it. The rewrite of the table for `is_low` takes a
-- moment; a row per variant is little.
-- Statements of a running node wait for the table for two seconds at most. If it is not free within one, run
-- `souk migrate` again.
set local lock_timeout = '1s';
alter table stock
    add column product_id uuid,
    -- At or below the minimum, whichever release writes the row.
    add column is_low boolean not null
        generated always as (min_stock > 0 and on_hand - reserved <= min_stock) stored;

-- The list of what is low, whose cost does not grow with the table. An index on the balances, in a column or in its
-- condition, would be written with every order; this one is written only when `is_low` changes.
create index low_stock on stock (variant_id) where is_low;
