-- The balance of the entries of a variant that were trimmed. It takes the place of the newest of them.
alter table movement
    -- Of an opening balance only: the units that were sold before it and not returned.
    add column sold bigint,
    drop constraint movement_reason_check,
    -- Not validated, which would read the table: the replaced constraint allowed less.
    add constraint movement_reason_check check (reason in
        ('received', 'counted', 'reserved', 'released', 'committed', 'returned', 'restocked', 'opening')) not valid,
    add constraint movement_sold check ((reason = 'opening') = (sold is not null)) not valid;
