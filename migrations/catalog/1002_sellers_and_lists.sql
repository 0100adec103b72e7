-- Whether an account may sell, as identity told last. An account that is not here may: identity tells of changes only.
create table sellers (
    id         uuid        primary key,
    may_sell   boolean     not null,
    -- Of identity's event.
    version    bigint      not null check (version >= 0),
    updated_at timestamptz not null
);

create index sellers_suspended on sellers (id) where not may_sell;

-- Lists show hidden products to their staff, so their indexes hold all products.
drop index products_by_age;
drop index products_by_name;
drop index products_by_category;
drop index products_by_seller;
create index products_by_age on products (created_at, id);
create index products_by_name on products (name collate "C", id);
create index products_by_category on products (category_id);
create index products_by_seller on products (seller_id);

-- A list by price goes by the prices of variants.
drop index products_by_price;
create index variants_by_price on variants (price, product_id);
