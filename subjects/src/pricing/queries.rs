//! The queries of tax rates, shipping zones and promotions.

use contract::query;
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use super::{DOMAIN, PricingError, Promotion, Promotions, ShippingZone, ShippingZones, TaxRate, TaxRates};
use crate::{PageRequest, PromotionId, ShippingZoneId, TaxRateId, roles};

/// Lists all tax rates, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListTaxRates {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListTaxRates, DOMAIN, "list_tax_rates", roles::ADMINS => TaxRates, PricingError);

/// Returns a tax rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTaxRate {
    pub id: TaxRateId,
}
query!(GetTaxRate, DOMAIN, "get_tax_rate", roles::ADMINS => TaxRate, PricingError);

/// Lists all shipping zones, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListShippingZones {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListShippingZones, DOMAIN, "list_shipping_zones", roles::ADMINS => ShippingZones, PricingError);

/// Returns a shipping zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetShippingZone {
    pub id: ShippingZoneId,
}
query!(GetShippingZone, DOMAIN, "get_shipping_zone", roles::ADMINS => ShippingZone, PricingError);

/// Lists all promotions, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPromotions {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListPromotions, DOMAIN, "list_promotions", roles::ADMINS => Promotions, PricingError);

/// Returns a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPromotion {
    pub id: PromotionId,
}
query!(GetPromotion, DOMAIN, "get_promotion", roles::ADMINS => Promotion, PricingError);
