//! One product, by id or slug.

use runtime::{Answer, Context, Handled};
use subjects::catalog::{CatalogError, GetProduct, Product};
use uuid::Uuid;

use crate::{Catalog, slug::is_slug, store, view};

impl Answer<GetProduct> for Catalog {
    async fn answer(&self, cx: &Context, query: &GetProduct) -> Handled<Product, CatalogError> {
        let row = match query.id.parse::<Uuid>() {
            Ok(id) => store::product_by_id(cx.db(), id).await?,
            Err(_) if is_slug(&query.id) => store::product_by_slug(cx.db(), &query.id).await?,
            Err(_) => None,
        };
        let row = row.filter(|row| view::is_visible(row, cx.caller())).ok_or(CatalogError::ProductNotFound)?;
        let variants = store::variants_of(cx.db(), &[row.id]).await?;
        Ok(view::product(&row, &variants, cx.caller())?)
    }
}
