//! The products that the caller may see, filtered, sorted and cut into pages.

use runtime::{Answer, Answered, Caller, Context};
use subjects::{
    Currency, Pagination,
    catalog::{CatalogError, ListProducts, ProductSort, Products},
};
use uuid::Uuid;

use crate::{
    Catalog,
    cursor::{Cursor, SortKey},
    search::to_tsquery,
    slug::is_slug,
    store::{self, Filter, ListedRow},
    view,
};

/// The filter as the store takes it; `None` where nothing can be found.
fn filter(query: &ListProducts, caller: &Caller) -> Option<Filter> {
    let mut filter = Filter {
        currency: query.currency.map(|currency| currency.to_string()),
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
        // Amounts of several currencies do not compare; the shop's own is meant.
        filter.currency = Some(Currency::USD.to_string());
    }
    if let Some(category) = &query.category {
        match category.parse::<Uuid>() {
            Ok(id) => filter.category_id = Some(id),
            Err(_) if is_slug(category) => filter.category_slug = Some(category.clone()),
            Err(_) => return None,
        }
    }
    if let Some(search) = query.search.as_deref().map(str::trim).filter(|search| !search.is_empty()) {
        filter.search = Some(to_tsquery(search)?);
    }
    Some(filter)
}

/// Where a page that ends with this row ends.
fn cursor(row: &ListedRow, sort: ProductSort) -> Cursor {
    let product = &row.product;
    let key = match sort {
        ProductSort::Newest => SortKey::CreatedAt(product.created_at),
        ProductSort::Name | ProductSort::NameDescending => SortKey::Name(product.name.clone()),
        ProductSort::Price | ProductSort::PriceDescending => SortKey::Price(row.sort_price),
    };
    Cursor { key, id: product.id }
}

impl Answer<ListProducts> for Catalog {
    async fn answer(&self, cx: &Context, query: &ListProducts) -> Answered<Products, CatalogError> {
        let sort = query.sort;
        let from = query.page.cursor.as_deref().map(|text| Cursor::read(text, sort)).transpose()?;
        let limit = query.page.limit();
        // A cursor says where to go on; there is nothing to skip behind it.
        let offset = if from.is_some() { 0 } else { query.page.offset() };
        let pagination = Pagination { limit, offset, ..Pagination::default() };
        let Some(filter) = filter(query, cx.caller()) else {
            return Ok(Products { data: Vec::new(), pagination });
        };

        let total = store::count_products(cx.db(), &filter).await?;
        // One more than asked for tells whether there is a next page.
        let mut rows =
            store::list_products(cx.db(), &filter, sort, from.as_ref(), i64::from(limit) + 1, i64::from(offset))
                .await?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| cursor(row, sort).write(sort));

        let ids: Vec<Uuid> = rows.iter().map(|row| row.product.id).collect();
        let variants = store::variants_of(cx.db(), &ids).await?;
        let product = |row: &ListedRow| view::product(&row.product, &variants, cx.caller());
        let data = rows.iter().map(product).collect::<Result<_, _>>()?;
        Ok(Products { data, pagination: Pagination { total, next_cursor, ..pagination } })
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller::Anonymous, *};

    #[test]
    fn an_amount_without_a_currency_means_the_shops() {
        let query = ListProducts { max_price: Some(5000), ..ListProducts::default() };
        assert_eq!(filter(&query, &Anonymous).unwrap().currency.as_deref(), Some("USD"));
        let cheapest = ListProducts { sort: ProductSort::Price, ..ListProducts::default() };
        assert_eq!(filter(&cheapest, &Anonymous).unwrap().currency.as_deref(), Some("USD"));
        let query = ListProducts { currency: Some(Currency::EUR), ..query };
        assert_eq!(filter(&query, &Anonymous).unwrap().currency.as_deref(), Some("EUR"));
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
