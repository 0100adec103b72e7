//! The public list: one filter, five sorts, each a fixed statement.

use runtime::{Breakage, Stored};
use sqlx::{
    PgPool, Postgres,
    postgres::PgArguments,
    query::{QueryAs, QueryScalar},
};
use subjects::catalog::ProductSort;
use uuid::Uuid;

use super::products::{ProductRow, product_columns};
use crate::cursor::{Cursor, SortKey};

/// Which products are asked for; what is absent filters nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub category_id: Option<Uuid>,
    pub category_slug: Option<String>,
    pub currency: Option<String>,
    pub min_price: Option<i64>,
    pub max_price: Option<i64>,
    pub seller: Option<Uuid>,
    pub in_stock: Option<bool>,
    pub featured: Option<bool>,
    /// As `to_tsquery` reads it.
    pub search: Option<String>,
}

macro_rules! filter {
    () => {
        "where p.is_active
           and (($1::uuid is null and $2::text is null) or p.category_id in (
                    with recursive tree as (
                        select id from categories where id = $1 or slug = $2
                        union
                        select c.id from categories c join tree t on c.parent_id = t.id
                    )
                    select id from tree))
           and ($3::text is null or p.currency = $3)
           and ($4::bigint is null or p.price >= $4)
           and ($5::bigint is null or p.price <= $5)
           and ($6::uuid is null or p.seller_id = $6)
           and ($7::boolean is null or $7 = exists (
                    select from variants v join variant_stock s on s.variant_id = v.id
                    where v.product_id = p.id and s.available > 0))
           and ($8::boolean is null or p.is_featured = $8)
           and ($9::text is null or p.search @@ to_tsquery('simple', $9)) "
    };
}

/// The filter, the rows behind the cursor ($10 its value, $11 its id), the order.
macro_rules! list {
    ($key:literal, $type:literal, $behind:literal, $order:literal) => {
        concat!(
            product_columns!(),
            filter!(),
            "and ($11::uuid is null or (",
            $key,
            ", p.id) ",
            $behind,
            " ($10::",
            $type,
            ", $11))
             order by ",
            $key,
            " ",
            $order,
            ", p.id ",
            $order,
            "
             limit $12 offset $13"
        )
    };
}

const NEWEST: &str = list!("p.created_at", "timestamptz", "<", "desc");
const NAME: &str = list!("p.name collate \"C\"", "text", ">", "asc");
const NAME_DESCENDING: &str = list!("p.name collate \"C\"", "text", "<", "desc");
const PRICE: &str = list!("p.price", "bigint", ">", "asc");
const PRICE_DESCENDING: &str = list!("p.price", "bigint", "<", "desc");

/// A page of the list: `limit` rows behind the cursor, or from `offset`.
pub(crate) async fn list_products(
    db: &PgPool,
    filter: &Filter,
    sort: ProductSort,
    cursor: Option<&Cursor>,
    limit: i64,
    offset: i64,
) -> Stored<Vec<ProductRow>> {
    let (key, id) = (cursor.map(|cursor| cursor.key.clone()), cursor.map(|cursor| cursor.id));
    let bound = |sql: &'static str| -> QueryAs<'_, Postgres, ProductRow, PgArguments> {
        let query = sqlx::query_as(sql);
        query
            .bind(filter.category_id)
            .bind(filter.category_slug.as_deref())
            .bind(filter.currency.as_deref())
            .bind(filter.min_price)
            .bind(filter.max_price)
            .bind(filter.seller)
            .bind(filter.in_stock)
            .bind(filter.featured)
            .bind(filter.search.as_deref())
    };
    let foreign = || Breakage::other("a cursor of another sort");
    let query = match sort {
        ProductSort::Newest => bound(NEWEST).bind(match key {
            Some(SortKey::CreatedAt(at)) => Some(at),
            None => None,
            Some(SortKey::Name(_) | SortKey::Price(_)) => return Err(foreign()),
        }),
        ProductSort::Name | ProductSort::NameDescending => {
            let sql = if sort == ProductSort::Name { NAME } else { NAME_DESCENDING };
            bound(sql).bind(match key {
                Some(SortKey::Name(name)) => Some(name),
                None => None,
                Some(SortKey::CreatedAt(_) | SortKey::Price(_)) => return Err(foreign()),
            })
        }
        ProductSort::Price | ProductSort::PriceDescending => {
            let sql = if sort == ProductSort::Price { PRICE } else { PRICE_DESCENDING };
            bound(sql).bind(match key {
                Some(SortKey::Price(price)) => Some(price),
                None => None,
                Some(SortKey::CreatedAt(_) | SortKey::Name(_)) => return Err(foreign()),
            })
        }
    };
    Ok(query.bind(id).bind(limit).bind(offset).fetch_all(db).await?)
}

/// How many products the filter lets through.
pub(crate) async fn count_products(db: &PgPool, filter: &Filter) -> Stored<i64> {
    let query: QueryScalar<'_, Postgres, i64, PgArguments> =
        sqlx::query_scalar(concat!("select count(*) from products p ", filter!()));
    let count = query
        .bind(filter.category_id)
        .bind(filter.category_slug.as_deref())
        .bind(filter.currency.as_deref())
        .bind(filter.min_price)
        .bind(filter.max_price)
        .bind(filter.seller)
        .bind(filter.in_stock)
        .bind(filter.featured)
        .bind(filter.search.as_deref())
        .fetch_one(db)
        .await?;
    Ok(count)
}
