-- Tax rates by country or by one of its states. All that match an address and a tax category apply together.
create table tax_rates (
    id           uuid        primary key,
    country      text        not null check (country ~ '^[A-Z]{2}$'),
    -- In upper case; null for the whole country.
    state        text        check (state <> ''),
    name         text        not null check (char_length(name) between 1 and 100),
    -- In millionths.
    rate         bigint      not null check (rate between 0 and 1000000),
    -- Whether prices contain the tax.
    inclusive    boolean     not null,
    tax_category text        not null check (tax_category <> ''),
    -- Counts the changes.
    version      bigint      not null check (version >= 1),
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    constraint one_rate_of_a_name unique nulls not distinct (country, state, tax_category, name)
);

-- Countries with their shipping methods. A country may be in several zones.
create table shipping_zones (
    id         uuid        primary key,
    name       text        not null check (char_length(name) between 1 and 100),
    countries  text[]      not null check (cardinality(countries) > 0),
    -- Each with its id, name, kind, and a rate per currency.
    methods    jsonb       not null,
    version    bigint      not null check (version >= 1),
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index shipping_zones_by_country on shipping_zones using gin (countries);

-- Promotions, applied by a code or by themselves.
create table promotions (
    id         uuid        primary key,
    name       text        not null check (char_length(name) between 1 and 100),
    -- In upper case; null if it applies by itself.
    code       text        unique check (code <> ''),
    is_active  boolean     not null,
    -- The kind with its numbers.
    reward     jsonb       not null,
    conditions jsonb       not null,
    starts_at  timestamptz,
    ends_at    timestamptz,
    stacking   text        not null check (stacking in ('combinable', 'exclusive')),
    priority   bigint      not null check (priority between -1000 and 1000),
    version    bigint      not null check (version >= 1),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    check (ends_at > starts_at)
);

-- Every quote reads them. There are few.
create index promotions_without_code on promotions (id) where code is null;
