//! The offers of variants, read from catalog, which decides what is for sale.

use std::collections::BTreeSet;

use runtime::{Context, InternalError};
use subjects::{
    VariantId,
    catalog::{GetOffers, Offer},
};

/// The offers of variants, for sale or not. Unknown variants have none.
pub(crate) async fn offers(cx: &Context, variant_ids: Vec<VariantId>) -> Result<Vec<Offer>, InternalError> {
    Ok(cx.ask_together(GetOffers { variant_ids, product_ids: Vec::new() }).await?.offers)
}

/// The variants that are for sale.
pub(crate) async fn for_sale(cx: &Context, variants: Vec<VariantId>) -> Result<BTreeSet<VariantId>, InternalError> {
    Ok(offers(cx, variants).await?.into_iter().filter(|offer| offer.is_active).map(|offer| offer.variant_id).collect())
}
