//! The product list: one filter and five sort orders, each a fixed statement.
//!
//! A product is listed if one of its variants satisfies all conditions on variants. When sorted by price, the cheapest
//! of those variants determines the product's place (descending: the most expensive).

use contract::page::{COUNTED, Moment, Part};
use runtime::{InternalError, Reads};
use serde::{Deserialize, Serialize};
use sqlx::{
    FromRow, Postgres,
    postgres::PgArguments,
    query::{QueryAs, QueryScalar},
};
use subjects::{Currency, catalog::ProductSort};
use uuid::Uuid;

use super::products::{ProductRow, product_columns, product_joins};

/// The caller for which the list is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Sees products for sale.
    #[default]
    Public,
    /// Sees products for sale and all of their own.
    Seller(Uuid),
    /// Sees all products.
    Admin,
}

/// The conditions on products; an absent one does not filter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub category_id: Option<Uuid>,
    pub category_slug: Option<String>,
    pub currency: Option<Currency>,
    pub min_price: Option<i64>,
    pub max_price: Option<i64>,
    pub seller: Option<Uuid>,
    pub in_stock: Option<bool>,
    pub featured: Option<bool>,
    /// In the syntax of `to_tsquery`.
    pub search: Option<String>,
    pub is_active: Option<bool>,
    pub viewer: Viewer,
}

/// A product in the list.
#[derive(Debug, FromRow)]
pub(crate) struct ListedRow {
    #[sqlx(flatten)]
    pub product: ProductRow,
    /// The price that determines the place in the list; the product's own price in other sort orders.
    pub sort_price: i64,
}

/// A product's place in the list: its sort key and its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    pub id: Uuid,
}

/// The conditions on a product.
macro_rules! of_product {
    () => {
        "(($1::uuid is null and $2::text is null) or p.category_id in (
                    with recursive tree as (
                        select id from categories where id = $1 or slug = $2
                        union
                        select c.id from categories c join tree t on c.parent_id = t.id
                    )
                    select id from tree))
           and ($3::text is null or p.currency = $3)
           and ($6::uuid is null or p.seller_id = $6)
           and ($8::boolean is null or p.is_featured = $8)
           and ($9::text is null or p.search @@ to_tsquery('simple', $9))
           and ($10::boolean is null or p.is_active = $10)
           and ($11::boolean or p.seller_id = $12 or (p.is_active and x.id is null)) "
    };
}

/// The conditions on a variant; the parameters are the aliases of the variant and of its stock.
macro_rules! of_variant {
    ($v:literal, $s:literal) => {
        concat!(
            "($4::bigint is null or ",
            $v,
            ".price >= $4) and ($5::bigint is null or ",
            $v,
            ".price <= $5) and ($7::boolean is null or $7 = (coalesce(",
            $s,
            ".available, 0) > 0)) "
        )
    };
}

/// The conditions on a product and on one of its variants. With `offset`, the planner checks the variants product by
/// product and stops when a page is full; without, it scans the variants first, which is faster for a count.
macro_rules! filter {
    ($offset:literal) => {
        concat!(
            "where ",
            of_product!(),
            "and (($4::bigint is null and $5::bigint is null and $7::boolean is null) or exists (
                 select from variants v left join variant_stock s on s.variant_id = v.id
                 where v.product_id = p.id and ",
            of_variant!("v", "s"),
            $offset,
            ")) "
        )
    };
}

/// The rows after the cursor ($13 its value, $14 its id), in order, limited to a page.
macro_rules! page {
    ($key:literal, $type:literal, $id:literal, $behind:literal, $order:literal) => {
        concat!(
            "and ($14::uuid is null or (",
            $key,
            ", ",
            $id,
            ") ",
            $behind,
            " ($13::",
            $type,
            ", $14)) order by ",
            $key,
            " ",
            $order,
            ", ",
            $id,
            " ",
            $order,
            " limit $15 offset $16"
        )
    };
}

macro_rules! by_product {
    ($key:literal, $type:literal, $behind:literal, $order:literal) => {
        concat!(
            "select ",
            product_columns!(),
            ", p.price as sort_price from products p ",
            product_joins!(),
            filter!("offset 0"),
            page!($key, $type, "p.id", $behind, $order)
        )
    };
}

/// Scans the variants. Of a product's matching variants, the first in the order of prices represents it.
macro_rules! by_price {
    ($behind:literal, $order:literal, $before:literal) => {
        concat!(
            "select ",
            product_columns!(),
            ", v.price as sort_price
             from variants v join products p on p.id = v.product_id left join variant_stock s on s.variant_id = v.id ",
            product_joins!(),
            "where ",
            of_variant!("v", "s"),
            "and not exists (
                 select from variants w left join variant_stock t on t.variant_id = w.id
                 where w.product_id = v.product_id and (w.price, w.position) ",
            $before,
            " (v.price, v.position) and ",
            of_variant!("w", "t"),
            ") and ",
            of_product!(),
            page!("v.price", "bigint", "v.product_id", $behind, $order)
        )
    };
}

const OLDEST: &str = by_product!("p.created_at", "timestamptz", ">", "asc");
const NEWEST: &str = by_product!("p.created_at", "timestamptz", "<", "desc");
const NAME: &str = by_product!("p.name collate \"und-x-icu\"", "text", ">", "asc");
const NAME_DESCENDING: &str = by_product!("p.name collate \"und-x-icu\"", "text", "<", "desc");
const PRICE: &str = by_price!(">", "asc", "<");
const PRICE_BACKWARDS: &str = by_price!("<", "desc", "<");
const PRICE_DESCENDING: &str = by_price!("<", "desc", ">");
const PRICE_DESCENDING_BACKWARDS: &str = by_price!(">", "asc", ">");

/// Binds the filter parameters, which come first in every statement of this file.
macro_rules! bind_filter {
    ($query:expr, $filter:expr) => {{
        let filter: &Filter = $filter;
        let own = if let Viewer::Seller(id) = filter.viewer { Some(id) } else { None };
        $query
            .bind(filter.category_id)
            .bind(filter.category_slug.as_deref())
            .bind(filter.currency)
            .bind(filter.min_price)
            .bind(filter.max_price)
            .bind(filter.seller)
            .bind(filter.in_stock)
            .bind(filter.featured)
            .bind(filter.search.as_deref())
            .bind(filter.is_active)
            .bind(filter.viewer == Viewer::Admin)
            .bind(own)
    }};
}

/// A page of the list.
pub(crate) async fn list_products(
    db: Reads<'_>,
    filter: &Filter,
    sort: ProductSort,
    part: &Part<Place>,
) -> Result<Vec<ListedRow>, InternalError> {
    let sql = match (sort, part.is_backwards) {
        (ProductSort::Newest, true) => OLDEST,
        (ProductSort::Newest, false) => NEWEST,
        (ProductSort::Name, false) | (ProductSort::NameDescending, true) => NAME,
        (ProductSort::Name, true) | (ProductSort::NameDescending, false) => NAME_DESCENDING,
        (ProductSort::Price, false) => PRICE,
        (ProductSort::Price, true) => PRICE_BACKWARDS,
        (ProductSort::PriceDescending, false) => PRICE_DESCENDING,
        (ProductSort::PriceDescending, true) => PRICE_DESCENDING_BACKWARDS,
    };
    let query: QueryAs<'_, Postgres, ListedRow, PgArguments> = bind_filter!(sqlx::query_as(sql), filter);
    let from = part.from.as_ref();
    let query = match sort {
        ProductSort::Newest => query.bind(from.and_then(|place| place.created_at).map(|at| at.0)),
        ProductSort::Name | ProductSort::NameDescending => query.bind(from.and_then(|place| place.name.clone())),
        ProductSort::Price | ProductSort::PriceDescending => query.bind(from.and_then(|place| place.price)),
    };
    Ok(query.bind(from.map(|place| place.id)).bind(part.rows()).bind(part.offset()).fetch_all(db).await?)
}

/// Counts the products that match the filter, up to [`COUNTED`] + 1.
pub(crate) async fn count_products(db: Reads<'_>, filter: &Filter) -> Result<i64, InternalError> {
    const COUNT: &str = concat!(
        "select count(*) from (select from products p ",
        product_joins!(),
        filter!(""),
        "limit $13) as counted"
    );
    let query: QueryScalar<'_, Postgres, i64, PgArguments> = bind_filter!(sqlx::query_scalar(COUNT), filter);
    Ok(query.bind(COUNTED + 1).fetch_one(db).await?)
}
