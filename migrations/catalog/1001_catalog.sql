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

-- Products. A row is never deleted: orders hold its id.
create table products (
    id            uuid        primary key,
    seller_id     uuid        not null,
    category_id   uuid        references categories (id),
    slug          text        not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name          text        not null check (char_length(name) between 1 and 200),
    description   text        not null default '' check (char_length(description) <= 20000),
    -- Of the product and of every variant of it. It never changes.
    currency      text        not null check (currency ~ '^[A-Z]{3}$'),
    -- Minor units, of the first variant: what lists are filtered and sorted by.
    price         bigint      not null check (price between 1 and 1000000000000),
    compare_price bigint      check (compare_price between 1 and 1000000000000),
    cost_price    bigint      check (cost_price between 0 and 1000000000000),
    attributes    jsonb       not null default '{}',
    is_active     boolean     not null default true,
    is_featured   boolean     not null default false,
    -- Counts the product's events: 1 is its making.
    version       bigint      not null default 1 check (version >= 1),
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    -- The words of name and description. Punctuation that would glue words together (a.b, a/b, a-b) parts them.
    search        tsvector    not null generated always as (
        to_tsvector('simple'::regconfig, translate(name || ' ' || description, './_-@:', '      '))
    ) stored
);

-- The sorts of the public list, each with the id that makes it total.
create index products_by_age on products (created_at, id) where is_active;
create index products_by_name on products (name collate "C", id) where is_active;
create index products_by_price on products (price, id) where is_active;
-- The filters of the public list.
create index products_by_category on products (category_id) where is_active;
create index products_by_seller on products (seller_id) where is_active;
create index products_by_search on products using gin (search);

-- Sellable units. Each product has at least one, at position 0.
create table variants (
    id         uuid        primary key,
    product_id uuid        not null references products (id),
    position   integer     not null check (position >= 0),
    sku        text        not null unique check (char_length(sku) between 1 and 64),
    name       text        not null check (char_length(name) between 1 and 200),
    -- Minor units, in the product's currency.
    price      bigint      not null check (price between 1 and 1000000000000),
    attributes jsonb       not null default '{}',
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (product_id, position)
);

-- What inventory last told of a variant. It may tell of one before this domain knows it, so nothing refers to it.
create table variant_stock (
    variant_id uuid        primary key,
    available  bigint      not null,
    -- Of inventory's event; 0 is what the seller said when the product was made.
    version    bigint      not null check (version >= 0),
    updated_at timestamptz not null
);
