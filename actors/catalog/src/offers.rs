//! What can be bought at what price now: asked by carts and, for all lines of an order at once, by orders.

use runtime::{Answer, Breakage, Context, Handled, Stored};
use subjects::{
    Money, ProductId, UserId, VariantId,
    catalog::{CatalogError, GetOffers, Offer, Offers},
};

use crate::{
    Catalog,
    store::{self, OfferRow},
    view::full_name,
};

fn offer(row: &OfferRow) -> Stored<Offer> {
    Ok(Offer {
        variant_id: VariantId(row.variant_id),
        product_id: ProductId(row.product_id),
        seller_id: UserId(row.seller_id),
        sku: row.sku.clone(),
        name: full_name(&row.product, &row.variant),
        price: Money::new(row.price, row.currency.parse().map_err(Breakage::other)?),
        is_active: row.is_active,
        version: row.version,
    })
}

impl Answer<GetOffers> for Catalog {
    async fn answer(&self, cx: &Context, query: &GetOffers) -> Handled<Offers, CatalogError> {
        let mut rows = Vec::new();
        if !query.variant_ids.is_empty() {
            let ids: Vec<_> = query.variant_ids.iter().map(|id| id.0).collect();
            rows = store::offers_of_variants(cx.db(), &ids).await?;
        }
        if !query.product_ids.is_empty() {
            let ids: Vec<_> = query.product_ids.iter().map(|id| id.0).collect();
            rows.extend(store::offers_of_products(cx.db(), &ids).await?);
            // A variant may have been asked for both ways.
            rows.sort_by_key(|row| (row.variant_id, std::cmp::Reverse(row.version)));
            rows.dedup_by_key(|row| row.variant_id);
        }
        // The earlier of two looks: what is told holds at least as of then.
        let at = match rows.iter().map(|row| row.at).min() {
            Some(at) => at,
            None => store::clock(cx.db()).await?,
        };
        Ok(Offers { offers: rows.iter().map(offer).collect::<Result<_, _>>()?, at })
    }
}
