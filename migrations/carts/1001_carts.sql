-- One cart per customer, or per guest's token. Of the token only the digest is stored.
create table cart (
    id           uuid primary key,
    user_id      uuid unique,
    token_digest uuid unique,
    -- Of every line. An empty cart takes the currency of its first item.
    currency     text        not null default 'USD' check (length(currency) = 3),
    -- Counts the changes of the cart and its lines.
    version      bigint      not null default 0 check (version >= 0),
    created_at   timestamptz not null,
    -- A guest's cart expires 30 days after its last change.
    updated_at   timestamptz not null,
    constraint one_owner check ((user_id is null) <> (token_digest is null))
);

-- The maintenance job finds expired guest carts by it.
create index cart_of_guest_by_age on cart (updated_at) where user_id is null;

-- A line. Name, SKU and price are those of its last change, shown once the variant is no longer for sale. Until then
-- those of the catalog are shown.
create table cart_item (
    id          uuid primary key,
    cart_id     uuid        not null references cart (id) on delete cascade,
    variant_id  uuid        not null,
    product_id  uuid        not null,
    sku         text        not null,
    name        text        not null,
    unit_amount bigint      not null check (unit_amount >= 0),
    quantity    bigint      not null check (quantity between 1 and 10000),
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    -- Also finds the lines of a cart.
    unique (cart_id, variant_id)
);
