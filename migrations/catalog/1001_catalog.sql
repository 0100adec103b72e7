-- Categories: a tree, by their parents.
create table categories (
    id          uuid        primary key,
    slug        text        not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name        text        not null check (char_length(name) between 1 and 200),
    description text        not null default '',
    parent_id   uuid        references categories (id),
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    check (parent_id <> id)
);

create index categories_by_parent on categories (parent_id);

-- Products. A row is never deleted: orders contain its id.
create table products (
    id            uuid        primary key,
    seller_id     uuid        not null,
    category_id   uuid        references categories (id),
    slug          text        not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name          text        not null check (char_length(name) between 1 and 200),
    description   text        not null default '' check (char_length(description) <= 20000),
    -- Of the product and of every variant of it. It never changes.
    currency      text        not null check (currency ~ '^[A-Z]{3}$'),
    -- In minor units.
    price         bigint      not null check (price between 1 and 1000000000000),
    compare_price bigint      check (compare_price between 1 and 1000000000000),
    cost_price    bigint      check (cost_price between 0 and 1000000000000),
    attributes    jsonb       not null default '{}',
    is_active     boolean     not null default true,
    is_featured   boolean     not null default false,
    -- Counts the product's events: 1 is its creation.
    version       bigint      not null default 1 check (version >= 1),
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    -- The words of name and description. Punctuation between words (a.b, a/b, a-b) separates them.
    search        tsvector    not null generated always as (
        to_tsvector('simple'::regconfig, translate(name || ' ' || description, './_-@:', '      '))
    ) stored
);

-- The sorts of lists, each with the id that makes it total. Lists show inactive products to their staff, so the indexes
-- contain all products. Names sort as people sort them, not by their bytes.
create index products_by_age on products (created_at, id);
create index products_by_name on products (name collate "und-x-icu", id);
-- The filters of lists.
create index products_by_category on products (category_id);
create index products_by_seller on products (seller_id);
create index products_by_search on products using gin (search);

-- Sellable units. Each product has at least one, at position 0.
create table variants (
    id         uuid        primary key,
    product_id uuid        not null references products (id),
    position   integer     not null check (position >= 0),
    sku        text        not null unique check (char_length(sku) between 1 and 64),
    name       text        not null check (char_length(name) between 1 and 200),
    -- In minor units, in the product's currency.
    price      bigint      not null check (price between 1 and 1000000000000),
    attributes jsonb       not null default '{}',
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (product_id, position)
);

-- A list by price uses the prices of variants.
create index variants_by_price on variants (price, product_id);

-- The last known stock of a variant, from inventory's events. These may arrive before the variant is known here, so no
-- foreign key refers to it.
create table variant_stock (
    variant_id uuid        primary key,
    available  bigint      not null,
    -- Of inventory's event; 0 is the quantity with which the product was created.
    version    bigint      not null check (version >= 0),
    updated_at timestamptz not null
);

-- Whether an account may sell, from identity's events. These report only changes, so an account without a row may.
create table sellers (
    id         uuid        primary key,
    may_sell   boolean     not null,
    -- Of identity's event.
    version    bigint      not null check (version >= 0),
    updated_at timestamptz not null
);

create index sellers_suspended on sellers (id) where not may_sell;
