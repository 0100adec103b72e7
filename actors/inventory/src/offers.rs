//! The offers of variants, read from catalog, which decides what is for sale.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{Context, InternalError};
use subjects::{
    ProductId, VariantId,
    catalog::{GetOffers, Offer, Offers},
};

use crate::shelf::Shelf;

/// The offers of variants, for sale or not. Unknown variants have none.
pub(crate) async fn offers(cx: &Context, variant_ids: Vec<VariantId>) -> Result<Vec<Offer>, InternalError> {
    Ok(cx.ask_together(GetOffers { variant_ids, product_ids: Vec::new() }).await?.offers)
}

/// The variants that are for sale.
pub(crate) async fn for_sale(cx: &Context, variants: Vec<VariantId>) -> Result<BTreeSet<VariantId>, InternalError> {
    Ok(offers(cx, variants).await?.into_iter().filter(|offer| offer.is_active).map(|offer| offer.variant_id).collect())
}

/// The offers of all variants of a product.
pub(crate) async fn of_product(cx: &Context, product: ProductId) -> Result<Offers, InternalError> {
    Ok(cx.ask_together(GetOffers { variant_ids: Vec::new(), product_ids: vec![product] }).await?)
}

/// Sets the products of shelves whose rows are older than the column. They stay unknown while catalog is unavailable.
pub(crate) async fn name_products(cx: &Context, shelves: &mut [Shelf]) {
    let unnamed: Vec<_> = shelves.iter().filter(|shelf| shelf.product_id.is_none()).collect();
    if unnamed.is_empty() {
        return;
    }
    let unnamed = unnamed.into_iter().map(|shelf| VariantId(shelf.variant_id)).collect();
    let offers = match offers(cx, unnamed).await {
        Ok(offers) => offers.into_iter(),
        Err(error) => {
            tracing::debug!(%error, "the products of variants are not known");
            return;
        }
    };
    let products: BTreeMap<_, _> = offers.map(|offer| (offer.variant_id.0, offer.product_id.0)).collect();
    for shelf in shelves {
        shelf.product_id = shelf.product_id.or_else(|| products.get(&shelf.variant_id).copied());
    }
}
