//! Current offers of variants, queried by carts and, for all lines of an order at once, by orders.

use contract::Coalesce;
use runtime::{AnswerBatch, Context, InternalError, QueryEnvelope, QueryResult, Reads};
use subjects::catalog::{CatalogError, GetOffers, Offer, Offers};

use crate::{
    Catalog,
    store::{self, OfferRow},
    view::full_name,
};

impl AnswerBatch<GetOffers> for Catalog {
    type Loaded = Offers;

    async fn load(&self, db: Reads<'_>, queries: &[&QueryEnvelope<GetOffers>]) -> Result<Vec<Offers>, InternalError> {
        let queries: Vec<&GetOffers> = queries.iter().map(|query| query.message.as_ref()).collect();
        let GetOffers { variant_ids, product_ids } = GetOffers::merge(&queries);
        let variants: Vec<_> = variant_ids.into_iter().map(|id| id.0).collect();
        let products: Vec<_> = product_ids.into_iter().map(|id| id.0).collect();
        let (at, rows) = store::offers(db, &variants, &products).await?;
        let offers = rows
            .into_iter()
            .map(|OfferRow { product, offer }| Offer { name: full_name(&product, &offer.name), ..offer });
        Ok(GetOffers::split(&queries, Offers { offers: offers.collect(), at }))
    }

    async fn answer(&self, _: &Context, _: &GetOffers, offers: Offers) -> QueryResult<Offers, CatalogError> {
        Ok(offers)
    }
}
