//! All categories, by slug.

use runtime::{Answer, Context, QueryResult};
use subjects::catalog::{CatalogError, Categories, ListCategories};

use crate::{Catalog, store};

impl Answer<ListCategories> for Catalog {
    async fn answer(&self, cx: &Context, query: &ListCategories) -> QueryResult<Categories, CatalogError> {
        let part = query.page.part("categories").ok_or(CatalogError::InvalidCursor)?;
        let counted = store::count_categories(cx.reads()).await?;
        let rows = store::list_categories(cx.reads(), &part).await?;
        let (data, pagination) = part.page(rows, counted, |category| category.slug.clone());
        Ok(Categories { data, pagination })
    }
}
