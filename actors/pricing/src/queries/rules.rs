//! Tax rates, shipping zones and promotions, for admins.

use runtime::{Answer, Context, QueryResult};
use subjects::pricing::{
    GetPromotion, GetShippingZone, GetTaxRate, ListPromotions, ListShippingZones, ListTaxRates, PricingError,
    Promotion, Promotions, ShippingZone, ShippingZones, TaxRate, TaxRates,
};

use crate::{Pricing, store};

impl Answer<ListTaxRates> for Pricing {
    async fn answer(&self, cx: &Context, query: &ListTaxRates) -> QueryResult<TaxRates, PricingError> {
        let part = query.page.part("tax rates").ok_or(PricingError::InvalidCursor)?;
        let counted = store::count_tax_rates(cx.reads()).await?;
        let rows = store::list_tax_rates(cx.reads(), &part).await?;
        let (data, pagination) = part.page(rows, counted, |rate| rate.id.0);
        Ok(TaxRates { data, pagination })
    }
}

impl Answer<GetTaxRate> for Pricing {
    async fn answer(&self, cx: &Context, query: &GetTaxRate) -> QueryResult<TaxRate, PricingError> {
        Ok(store::tax_rate(cx.reads(), query.id).await?.ok_or(PricingError::TaxRateNotFound)?)
    }
}

impl Answer<ListShippingZones> for Pricing {
    async fn answer(&self, cx: &Context, query: &ListShippingZones) -> QueryResult<ShippingZones, PricingError> {
        let part = query.page.part("shipping zones").ok_or(PricingError::InvalidCursor)?;
        let counted = store::count_shipping_zones(cx.reads()).await?;
        let rows = store::list_shipping_zones(cx.reads(), &part).await?;
        let (data, pagination) = part.page(rows, counted, |zone| zone.id.0);
        Ok(ShippingZones { data, pagination })
    }
}

impl Answer<GetShippingZone> for Pricing {
    async fn answer(&self, cx: &Context, query: &GetShippingZone) -> QueryResult<ShippingZone, PricingError> {
        Ok(store::shipping_zone(cx.reads(), query.id).await?.ok_or(PricingError::ShippingZoneNotFound)?)
    }
}

impl Answer<ListPromotions> for Pricing {
    async fn answer(&self, cx: &Context, query: &ListPromotions) -> QueryResult<Promotions, PricingError> {
        let part = query.page.part("promotions").ok_or(PricingError::InvalidCursor)?;
        let counted = store::count_promotions(cx.reads()).await?;
        let rows = store::list_promotions(cx.reads(), &part).await?;
        let (data, pagination) = part.page(rows, counted, |promotion| promotion.id.0);
        Ok(Promotions { data, pagination })
    }
}

impl Answer<GetPromotion> for Pricing {
    async fn answer(&self, cx: &Context, query: &GetPromotion) -> QueryResult<Promotion, PricingError> {
        Ok(store::promotion(cx.reads(), query.id).await?.ok_or(PricingError::PromotionNotFound)?)
    }
}
