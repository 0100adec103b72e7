//! The products that the caller may see, filtered, sorted and paginated.

use contract::{page::Moment, text::trimmed};
use runtime::{Answer, Caller, Context, QueryResult};
use subjects::{
    Currency,
    catalog::{CatalogError, ListProducts, ProductSort, Products},
};
use uuid::Uuid;

use crate::{
    Catalog,
    search::to_tsquery,
    slug::is_slug,
    store::{self, Filter, ListedRow, Place},
    view,
};

/// The filter for the store; `None` if nothing can match.
fn filter(query: &ListProducts, caller: &Caller) -> Option<Filter> {
    let mut filter = Filter {
        currency: query.currency,
        min_price: query.min_price,
        max_price: query.max_price,
        seller: query.seller.map(|seller| seller.0),
        in_stock: query.in_stock,
        featured: query.featured,
        is_active: query.is_active,
        viewer: view::viewer(caller),
        ..Filter::default()
    };
    let is_sorted_by_price = matches!(query.sort, ProductSort::Price | ProductSort::PriceDescending);
    let compares_prices = is_sorted_by_price || filter.min_price.is_some() || filter.max_price.is_some();
    if filter.currency.is_none() && compares_prices {
        // Amounts in different currencies do not compare, so the default currency is implied.
        filter.currency = Some(Currency::USD);
    }
    if let Some(category) = &query.category {
        match category.parse::<Uuid>() {
            Ok(id) => filter.category_id = Some(id),
            Err(_) if is_slug(category) => filter.category_slug = Some(category.clone()),
            Err(_) => return None,
        }
    }
    if let Some(search) = query.search.as_deref().map(trimmed).filter(|search| !search.is_empty()) {
        filter.search = Some(to_tsquery(search)?);
    }
    Some(filter)
}

/// A row's place in the list.
fn place(row: &ListedRow, sort: ProductSort) -> Place {
    let (product, id) = (&row.product, row.product.id);
    match sort {
        ProductSort::Newest => Place { created_at: Some(Moment(product.created_at)), id, ..Place::default() },
        ProductSort::Name | ProductSort::NameDescending => {
            Place { name: Some(product.name.clone()), id, ..Place::default() }
        }
        ProductSort::Price | ProductSort::PriceDescending => {
            Place { price: Some(row.sort_price), id, ..Place::default() }
        }
    }
}

impl Answer<ListProducts> for Catalog {
    async fn answer(&self, cx: &Context, query: &ListProducts) -> QueryResult<Products, CatalogError> {
        let sort = query.sort;
        let part = query.page.part(list(sort)).ok_or(CatalogError::InvalidCursor)?;
        let Some(filter) = filter(query, cx.caller()) else {
            let (_, pagination) = part.page(Vec::new(), 0, |row| place(row, sort));
            return Ok(Products { data: Vec::new(), pagination });
        };
        let counted = store::count_products(cx.reads(), &filter).await?;
        let rows = store::list_products(cx.reads(), &filter, sort, &part).await?;
        let (rows, pagination) = part.page(rows, counted, |row| place(row, sort));

        let ids: Vec<Uuid> = rows.iter().map(|row| row.product.id).collect();
        let variants = store::variants_of(cx.reads(), &ids).await?;
        let product = |row: &ListedRow| view::product(&row.product, &variants, cx.caller());
        Ok(Products { data: rows.iter().map(product).collect(), pagination })
    }
}

/// The list's name in cursors, so that a cursor of another sort order is rejected.
fn list(sort: ProductSort) -> &'static str {
    match sort {
        ProductSort::Newest => "products by age",
        ProductSort::Name => "products by name",
        ProductSort::NameDescending => "products by name, descending",
        ProductSort::Price => "products by price",
        ProductSort::PriceDescending => "products by price, descending",
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller::Anonymous, *};

    #[test]
    fn an_amount_without_a_currency_means_the_shops() {
        let query = ListProducts { max_price: Some(5000), ..ListProducts::default() };
        assert_eq!(filter(&query, &Anonymous).unwrap().currency, Some(Currency::USD));
        let cheapest = ListProducts { sort: ProductSort::Price, ..ListProducts::default() };
        assert_eq!(filter(&cheapest, &Anonymous).unwrap().currency, Some(Currency::USD));
        let query = ListProducts { currency: Some(Currency::EUR), ..query };
        assert_eq!(filter(&query, &Anonymous).unwrap().currency, Some(Currency::EUR));
        assert_eq!(filter(&ListProducts::default(), &Anonymous), Some(Filter::default()));
    }

    #[test]
    fn a_category_is_named_by_id_or_slug() {
        let of = |category: &str| {
            filter(&ListProducts { category: Some(category.into()), ..ListProducts::default() }, &Anonymous)
        };
        let id = Uuid::now_v7();
        assert_eq!(of(&id.to_string()).unwrap().category_id, Some(id));
        assert_eq!(of("shoes").unwrap().category_slug.as_deref(), Some("shoes"));
        assert_eq!(of("no such\0thing"), None);
    }

    #[test]
    fn a_search_without_a_word_finds_nothing_and_an_empty_one_everything() {
        let of =
            |search: &str| filter(&ListProducts { search: Some(search.into()), ..ListProducts::default() }, &Anonymous);
        assert_eq!(of("  "), Some(Filter::default()));
        assert_eq!(of("?!"), None);
        assert_eq!(of("mug").unwrap().search.as_deref(), Some("'mug':*"));
    }
}
