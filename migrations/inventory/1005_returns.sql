-- Units that return line by line.
alter table reservation_line
    -- Of the quantity, available again. A line that has returned before it was heard of has no quantity yet.
    add column returned bigint not null default 0 check (returned >= 0),
    drop constraint reservation_line_quantity_check,
    add constraint reservation_line_quantity_check check (quantity >= 0);

alter table reservation drop constraint reservation_cause_check;
alter table reservation add constraint reservation_cause_check
    check (cause in ('confirmed', 'failed', 'cancelled', 'expired', 'returned'));

-- Sold units that return are a movement of their own kind.
alter table movement drop constraint movement_reason_check;
alter table movement add constraint movement_reason_check
    check (reason in ('received', 'counted', 'reserved', 'released', 'committed', 'returned', 'restocked'));
