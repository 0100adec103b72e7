//! Which variants are for sale, read from catalog, which decides it.

use std::collections::BTreeSet;

use runtime::{Breakage, Context};
use subjects::{VariantId, catalog::GetOffers};

/// The variants that are for sale.
pub(crate) async fn for_sale(cx: &Context, variant_ids: Vec<VariantId>) -> Result<BTreeSet<VariantId>, Breakage> {
    let ask = GetOffers { variant_ids, product_ids: Vec::new() };
    let offers = cx.ask(&ask).await.map_err(Breakage::from)?.offers;
    Ok(offers.into_iter().filter(|offer| offer.is_active).map(|offer| offer.variant_id).collect())
}
