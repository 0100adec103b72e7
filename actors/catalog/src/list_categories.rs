//! Every category, by slug.

use runtime::{Answer, Answered, Context};
use subjects::{
    Pagination,
    catalog::{CatalogError, Categories, ListCategories},
};

use crate::{
    Catalog,
    cursor::{read_slug, write_slug},
    store::{self, CategoryRow},
};

impl Answer<ListCategories> for Catalog {
    async fn answer(&self, cx: &Context, query: &ListCategories) -> Answered<Categories, CatalogError> {
        let after = query.page.cursor.as_deref().map(read_slug).transpose()?;
        let limit = query.page.limit();
        let offset = if after.is_some() { 0 } else { query.page.offset() };

        let total = store::count_categories(cx.db()).await?;
        let mut rows =
            store::list_categories(cx.db(), after.as_deref(), i64::from(limit) + 1, i64::from(offset)).await?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| has_more).map(|row| write_slug(&row.slug));

        let data = rows.iter().map(CategoryRow::category).collect();
        Ok(Categories { data, pagination: Pagination { limit, offset, total, next_cursor } })
    }
}
