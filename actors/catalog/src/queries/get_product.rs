//! A product, by id or slug.

use std::collections::HashMap;

use runtime::{AnswerBatch, Context, InternalError, QueryEnvelope, QueryResult, Reads};
use subjects::catalog::{CatalogError, GetProduct, Product};
use uuid::Uuid;

use crate::{
    Catalog,
    slug::is_slug,
    store::{self, FullProduct},
    view,
};

impl AnswerBatch<GetProduct> for Catalog {
    type Loaded = Option<FullProduct>;

    async fn load(
        &self,
        db: Reads<'_>,
        queries: &[&QueryEnvelope<GetProduct>],
    ) -> Result<Vec<Option<FullProduct>>, InternalError> {
        let named = || queries.iter().map(|query| query.message.id.as_str());
        let ids: Vec<Uuid> = named().filter_map(|name| name.parse().ok()).collect();
        let slugs: Vec<_> = named().filter(|name| is_slug(name)).collect();
        let found = store::products(db, &ids, &slugs).await?;
        let by_id: HashMap<_, _> = found.iter().map(|found| (found.product.id, found)).collect();
        let by_slug: HashMap<_, _> = found.iter().map(|found| (found.product.slug.as_str(), found)).collect();
        let one = |name: &str| match name.parse() {
            Ok(id) => by_id.get(&id),
            Err(_) => by_slug.get(name),
        };
        Ok(named().map(|name| one(name).map(|found| (*found).clone())).collect())
    }

    async fn answer(
        &self,
        cx: &Context,
        _: &GetProduct,
        found: Option<FullProduct>,
    ) -> QueryResult<Product, CatalogError> {
        let found = found.filter(|found| view::is_visible(&found.product, cx.caller()));
        let FullProduct { product, variants } = found.ok_or(CatalogError::ProductNotFound)?;
        Ok(view::product(&product, &variants, cx.caller()))
    }
}
