//! Current offers of variants, queried by carts and, for all lines of an order at once, by orders.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
        let variants: BTreeSet<_> =
            queries.iter().flat_map(|query| &query.message.variant_ids).map(|id| id.0).collect();
        let products: BTreeSet<_> =
            queries.iter().flat_map(|query| &query.message.product_ids).map(|id| id.0).collect();
        let (variants, products): (Vec<_>, Vec<_>) = (variants.into_iter().collect(), products.into_iter().collect());
        let (at, rows) = store::offers(db, &variants, &products).await?;
        let mut by_variant = HashMap::new();
        let mut by_product: HashMap<_, Vec<_>> = HashMap::new();
        for OfferRow { product, offer } in rows {
            let offer = Offer { name: full_name(&product, &offer.name), ..offer };
            by_product.entry(offer.product_id).or_default().push(offer.clone());
            by_variant.insert(offer.variant_id, offer);
        }
        let answer = |query: &&QueryEnvelope<GetOffers>| {
            let GetOffers { variant_ids, product_ids } = query.message.as_ref();
            let named = variant_ids.iter().filter_map(|id| by_variant.get(id));
            let all = named.chain(product_ids.iter().filter_map(|id| by_product.get(id)).flatten());
            // A query may name a variant both directly and through its product.
            let offers: BTreeMap<_, _> = all.map(|offer| (offer.variant_id, offer.clone())).collect();
            Offers { offers: offers.into_values().collect(), at }
        };
        Ok(queries.iter().map(answer).collect())
    }

    async fn answer(&self, _: &Context, _: &GetOffers, offers: Offers) -> QueryResult<Offers, CatalogError> {
        Ok(offers)
    }
}
