-- Orders: one row per order, its lines, its history, and who may order from which cart.

create table orders (
    id                 uuid primary key,
    -- Readable, unique, made from the id.
    order_number       text        not null unique,
    -- The buyer: an account, or the bearer of a guest's cart token (its digest, never the token).
    user_id            uuid,
    guest_digest       uuid,
    -- A guest's address.
    email              text,
    -- The cart that was ordered; null if the request listed the lines.
    cart_id            uuid,
    status             text        not null default 'pending' check (status in
        ('pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled', 'failed', 'expired', 'refunded')),
    payment_status     text        not null default 'pending' check (payment_status in
        ('pending', 'processing', 'succeeded', 'failed', 'cancelled', 'partially_refunded', 'refunded')),
    fulfillment_status text        not null default 'unfulfilled' check (fulfillment_status in
        ('unfulfilled', 'partial', 'fulfilled', 'returned')),
    currency           text        not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
    subtotal           bigint      not null check (subtotal >= 0),
    discount_amount    bigint      not null default 0 check (discount_amount >= 0),
    shipping_amount    bigint      not null default 0 check (shipping_amount >= 0),
    tax_amount         bigint      not null default 0 check (tax_amount >= 0),
    total_amount       bigint      not null check (total_amount >= 0),
    -- Copies of the moment of placing.
    shipping_address   jsonb       not null,
    billing_address    jsonb,
    notes              text,
    -- A token of the provider, charged as soon as the stock is held; never card data.
    payment_method     text,
    payment_deadline   timestamptz not null,
    -- Inventory has reserved every line.
    stock_held         boolean     not null default false,
    -- When payments was requested to close the payment: only its reply expires the order.
    expiry_requested_at timestamptz,
    -- The card's issuer requires the buyer to confirm the charge. Payments has the details.
    action_required    boolean     not null default false,
    cancel_reason      text,
    failure_code       text,
    failure_message    text,
    -- The payment's version behind payment_status once money was returned: its events may arrive in any order.
    money_version      bigint      not null default 0,
    -- Counts the order's events, without a gap.
    version            bigint      not null check (version > 0),
    created_at         timestamptz not null,
    updated_at         timestamptz not null,
    check (total_amount = subtotal - discount_amount + shipping_amount + tax_amount),
    check ((user_id is null) <> (guest_digest is null)),
    check ((status = 'failed') = (failure_code is not null)),
    check ((failure_code is null) = (failure_message is null)),
    -- Only goods that are reserved and paid are delivered.
    check (status not in ('confirmed', 'processing', 'shipped', 'delivered')
           or (stock_held and payment_status in ('succeeded', 'partially_refunded')))
) with (fillfactor = 80);

create index orders_of_user on orders (user_id, created_at, id) where user_id is not null;
create index orders_of_guest on orders (guest_digest, created_at, id) where guest_digest is not null;
-- Only the orders that have a deadline: it stays as small as the number of undecided orders.
create index orders_undecided on orders (payment_deadline) where status = 'pending' and expiry_requested_at is null;

-- The lines, with the prices of the moment of placing.
create table order_items (
    order_id    uuid        not null references orders (id) on delete cascade,
    position    integer     not null check (position >= 0),
    id          uuid        not null,
    product_id  uuid        not null,
    variant_id  uuid        not null,
    seller_id   uuid        not null,
    sku         text        not null,
    item_name   text        not null,
    quantity    bigint      not null check (quantity between 1 and 10000),
    unit_price  bigint      not null check (unit_price >= 0),
    total_price bigint      not null check (total_price = unit_price * quantity),
    -- Of the quantity, returned and available again.
    returned    bigint      not null default 0 check (returned between 0 and quantity),
    -- The order's, so that a seller's list is one index scan.
    created_at  timestamptz not null,
    primary key (order_id, position)
);

create index order_items_of_seller on order_items (seller_id, created_at, order_id);

-- One row per event of an order. Written with the order's row in one transaction, which is why no foreign key checks it
-- again on the hot path.
create table order_history (
    order_id       uuid        not null,
    version        bigint      not null check (version > 0),
    event          text        not null,
    status         text        not null,
    payment_status text        not null,
    at             timestamptz not null,
    -- Its cause, such as orders.place or payments.succeeded.
    cause          text        not null,
    primary key (order_id, version)
);

-- One live order per cart: this row is the claim, inserted when the order is placed.
create table cart_checkout (
    cart_id      uuid   primary key,
    order_id     uuid   not null,
    order_number text   not null,
    -- The cart as it was ordered: confirmed and unchanged, it may not be ordered again.
    cart_version bigint not null,
    state        text   not null check (state in ('open', 'confirmed'))
);
