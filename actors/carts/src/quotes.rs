//! Current offers and stock of variants, from catalog and inventory.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join;
use runtime::{Context, InternalError, QueryResult};
use subjects::{
    Currency, ProductId, VariantId,
    carts::CartsError,
    catalog::{GetOffers, Offer},
    inventory::{CheckAvailability, Units},
};
use uuid::Uuid;

use crate::basket::Basket;

/// Offers and stock of variants as of one request. Not refreshed: an order queries them again.
#[derive(Debug, Clone, Default)]
pub struct Quotes {
    requested: BTreeSet<Uuid>,
    offers: BTreeMap<Uuid, Offer>,
    available: BTreeMap<Uuid, i64>,
}

impl Quotes {
    /// Queries both domains concurrently. If either fails, the service error is returned to the caller.
    pub(crate) async fn ask(cx: &Context, variants: impl IntoIterator<Item = Uuid>) -> Result<Self, InternalError> {
        let requested: BTreeSet<_> = variants.into_iter().collect();
        if requested.is_empty() {
            return Ok(Self::default());
        }
        let variant_ids: Vec<_> = requested.iter().copied().map(VariantId).collect();
        // Only the available quantity is used; it is compared with the wanted quantity here.
        let items = variant_ids.iter().map(|variant_id| Units { variant_id: *variant_id, quantity: 1 }).collect();
        let (offers, stock) = (GetOffers { variant_ids, product_ids: Vec::new() }, CheckAvailability { items });
        let (offers, stock) = try_join(async { cx.ask_together(offers).await.map_err(InternalError::from) }, async {
            cx.ask(&stock).await.map_err(InternalError::from)
        })
        .await?;
        Ok(Self {
            requested,
            offers: offers.offers.into_iter().map(|offer| (offer.variant_id.0, offer)).collect(),
            available: stock.data.into_iter().map(|one| (one.variant_id.0, one.available)).collect(),
        })
    }

    /// Requests quotes for every line of a cart.
    pub(crate) async fn of(cx: &Context, basket: &Basket) -> Result<Self, InternalError> {
        Self::ask(cx, basket.lines.iter().map(|line| line.variant_id)).await
    }

    /// Whether quotes were requested for a variant.
    pub(crate) fn cover(&self, variant: Uuid) -> bool {
        self.requested.contains(&variant)
    }

    /// The offer of a variant, if it is for sale.
    pub(crate) fn for_sale(&self, variant: Uuid) -> Option<&Offer> {
        self.offers.get(&variant).filter(|offer| offer.is_active)
    }

    /// The offer of a variant, if it is for sale in this currency.
    pub(crate) fn for_sale_in(&self, variant: Uuid, currency: Currency) -> Option<&Offer> {
        self.for_sale(variant).filter(|offer| offer.price.currency == currency)
    }

    /// The available units of a variant.
    pub(crate) fn available(&self, variant: Uuid) -> i64 {
        self.available.get(&variant).copied().unwrap_or(0)
    }

    #[cfg(test)]
    pub(crate) fn add(&mut self, offer: Offer, available: i64) {
        let variant = offer.variant_id.0;
        self.requested.insert(variant);
        self.available.insert(variant, available);
        self.offers.insert(variant, offer);
    }
}

/// The variant of a product that has exactly one for sale.
pub(crate) async fn only_variant(cx: &Context, product: ProductId) -> QueryResult<VariantId, CartsError> {
    let ask = GetOffers { variant_ids: Vec::new(), product_ids: vec![product] };
    Ok(only_for_sale(&cx.ask_together(ask).await.map_err(InternalError::from)?.offers)?)
}

fn only_for_sale(offers: &[Offer]) -> Result<VariantId, CartsError> {
    let mut for_sale = offers.iter().filter(|offer| offer.is_active).map(|offer| offer.variant_id);
    match (for_sale.next(), for_sale.next()) {
        (Some(variant), None) => Ok(variant),
        (None, _) => Err(CartsError::NotForSale),
        (Some(_), Some(_)) => Err(CartsError::VariantRequired),
    }
}

#[cfg(test)]
mod tests {
    use subjects::{Currency, VariantId, carts::CartsError, catalog::Offer};
    use uuid::Uuid;

    use super::only_for_sale;
    use crate::basket::tests::offer;

    #[test]
    fn a_product_stands_for_its_variant_where_only_one_is_for_sale() {
        let (first, second) = (offer(1, 100, Currency::USD), offer(2, 5000, Currency::USD));
        let hidden = |offer: &Offer| Offer { is_active: false, ..offer.clone() };
        let first_variant = Ok(VariantId(Uuid::from_u128(1)));
        assert_eq!(only_for_sale(std::slice::from_ref(&first)), first_variant);
        assert_eq!(only_for_sale(&[hidden(&second), first.clone()]), first_variant);
        assert_eq!(only_for_sale(&[first.clone(), second.clone()]), Err(CartsError::VariantRequired));
        assert_eq!(only_for_sale(&[hidden(&first), hidden(&second)]), Err(CartsError::NotForSale));
        assert_eq!(only_for_sale(&[]), Err(CartsError::NotForSale));
    }
}
