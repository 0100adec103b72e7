-- The units in stock. One row per variant, the hottest rows of the shop: fillfactor leaves room in the page, so that
-- an update stays in it and touches no index.
--
-- Conservation, per variant: received = available + reserved + sold, where available = on_hand - reserved.
create table stock (
    variant_id uuid primary key,
    sku        text        not null,
    seller_id  uuid        not null,
    on_hand    bigint      not null default 0 check (on_hand >= 0),
    reserved   bigint      not null default 0 check (reserved >= 0),
    min_stock  bigint      not null default 0 check (min_stock >= 0),
    -- Ever received, including corrections by counting.
    received   bigint      not null default 0,
    -- Sold and not returned.
    sold       bigint      not null default 0 check (sold >= 0),
    -- Numbers the events about the variant: 1, 2, 3 ... without a gap; 0 before the first.
    version    bigint      not null default 0 check (version >= 0),
    updated_at timestamptz not null,
    constraint never_oversold check (on_hand >= reserved),
    constraint nothing_vanishes check (received = on_hand + sold)
) with (fillfactor = 50);

-- The state of an order in inventory. `new` is a placeholder that no commit leaves behind: it makes concurrent
-- transactions wait for one another. A `tombstone` is the end of an order that was unknown: it prevents a late `placed`
-- from reserving.
create table reservation (
    order_id   uuid primary key,
    status     text        not null
        check (status in ('new', 'held', 'rejected', 'released', 'committed', 'returned', 'tombstone')),
    -- The event of the order that ended it last.
    cause      text        check (cause in ('confirmed', 'failed', 'cancelled', 'expired', 'returned')),
    -- Numbers this domain's events about the order; 0 before the first.
    version    bigint      not null default 0 check (version >= 0),
    updated_at timestamptz not null
) with (fillfactor = 70);

-- The units that are reserved or sold for an order; a variant that the order names twice is summed. No foreign keys on
-- this path: lines are written only under the lock of their reservation and of their stock.
create table reservation_line (
    order_id   uuid   not null,
    variant_id uuid   not null,
    -- 0 for a line whose return arrived before its order.
    quantity   bigint not null check (quantity >= 0),
    -- Of the quantity, available again.
    returned   bigint not null default 0 check (returned >= 0),
    primary key (order_id, variant_id)
);

-- The ledger: every change of the stock. The deltas of a variant add up to its on_hand and its reserved.
create table movement (
    id             bigint generated always as identity primary key,
    variant_id     uuid        not null,
    reason         text        not null
        check (reason in ('received', 'counted', 'reserved', 'released', 'committed', 'returned', 'restocked')),
    on_hand_delta  bigint      not null,
    reserved_delta bigint      not null,
    order_id       uuid,
    at             timestamptz not null
);

create index movement_of_variant on movement (variant_id, id desc);
