//! The commands on tax rates, shipping zones and promotions. A change replaces each field that it names as a whole.

use chrono::{DateTime, Utc};
use contract::command;
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use super::{
    Conditions, DOMAIN, PricingError, Promotion, Reward, ShippingKind, ShippingRate, ShippingZone, Stacking, TaxRate,
};
use crate::{PromotionId, ShippingMethodId, ShippingZoneId, TaxRateId, roles};

/// A new tax rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewTaxRate {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The state, as addresses name it; the whole country if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// 1 to 100 characters.
    pub name: String,
    /// Millionths, 0 to 1,000,000: 190000 is 19 %.
    pub rate: i64,
    /// Whether prices contain the tax; not if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusive: Option<bool>,
    /// 1 to 50 characters; `standard` if absent. The shipping charge has the category `shipping`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_category: Option<String>,
}

/// Creates a tax rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTaxRate {
    pub tax_rate: NewTaxRate,
}
command!(CreateTaxRate, DOMAIN, "create_tax_rate", roles::ADMINS => TaxRate, PricingError, key = |_| None,
    sensitive = true, recorded = ["tax_rate.rate"]);

/// The changes of a tax rate. Absent fields stay unchanged; null clears `state` and is rejected for the other fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct TaxRateChanges {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub state: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub rate: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub inclusive: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub tax_category: Option<String>,
}

/// Changes a tax rate. Placed orders keep theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeTaxRate {
    pub id: TaxRateId,
    pub changes: TaxRateChanges,
    /// Rejected if the tax rate has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangeTaxRate, DOMAIN, "change_tax_rate", roles::ADMINS => TaxRate, PricingError, key = |c| Some(c.id.0),
    sensitive = true, recorded = ["changes.rate"]);

/// Deletes a tax rate. Placed orders keep theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteTaxRate {
    pub id: TaxRateId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(DeleteTaxRate, DOMAIN, "delete_tax_rate", roles::ADMINS => Deleted, PricingError, key = |c| Some(c.id.0),
    sensitive = true);

/// The reply of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {}

/// A shipping method to create, or to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewShippingMethod {
    /// The id of a method of the zone that stays; absent for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub id: Option<ShippingMethodId>,
    /// 1 to 100 characters.
    pub name: String,
    pub kind: ShippingKind,
    /// 1 to 20, one per currency.
    pub rates: Vec<ShippingRate>,
}

/// A new shipping zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewShippingZone {
    /// 1 to 100 characters.
    pub name: String,
    /// At least one, ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// At most 20.
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub methods: Vec<NewShippingMethod>,
}

/// Creates a shipping zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateShippingZone {
    pub zone: NewShippingZone,
}
command!(CreateShippingZone, DOMAIN, "create_shipping_zone", roles::ADMINS => ShippingZone, PricingError,
    key = |_| None, sensitive = true, recorded = ["zone.methods.rates"]);

/// The changes of a shipping zone. Absent fields stay unchanged; null is rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ShippingZoneChanges {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub countries: Option<Vec<String>>,
    /// Replaces all methods. Those with an `id` of the zone keep it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub methods: Option<Vec<NewShippingMethod>>,
}

/// Changes a shipping zone. Placed orders keep their shipping charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeShippingZone {
    pub id: ShippingZoneId,
    pub changes: ShippingZoneChanges,
    /// Rejected if the zone has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangeShippingZone, DOMAIN, "change_shipping_zone", roles::ADMINS => ShippingZone, PricingError,
    key = |c| Some(c.id.0), sensitive = true, recorded = ["changes.methods.rates"]);

/// Deletes a shipping zone. Placed orders keep their shipping charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteShippingZone {
    pub id: ShippingZoneId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(DeleteShippingZone, DOMAIN, "delete_shipping_zone", roles::ADMINS => Deleted, PricingError,
    key = |c| Some(c.id.0), sensitive = true);

/// A new promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewPromotion {
    /// 1 to 100 characters.
    pub name: String,
    /// The coupon that it needs, 1 to 50 characters without blanks, in upper or lower case; it applies by itself if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Active if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    pub reward: Reward,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<DateTime<Utc>>,
    /// `combinable` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking: Option<Stacking>,
    /// -1000 to 1000; 0 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
}

/// Creates a promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatePromotion {
    pub promotion: NewPromotion,
}
command!(CreatePromotion, DOMAIN, "create_promotion", roles::ADMINS => Promotion, PricingError, key = |_| None,
    sensitive = true, recorded = ["promotion.reward"]);

/// The changes of a promotion. Absent fields stay unchanged; null clears `code`, `conditions`, `starts_at` and
/// `ends_at`, and is rejected for the other fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PromotionChanges {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub code: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub is_active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub reward: Option<Reward>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub conditions: Option<Option<Conditions>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub starts_at: Option<Option<DateTime<Utc>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub ends_at: Option<Option<DateTime<Utc>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub stacking: Option<Stacking>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub priority: Option<i64>,
}

/// Changes a promotion. Placed orders keep their discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePromotion {
    pub id: PromotionId,
    pub changes: PromotionChanges,
    /// Rejected if the promotion has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangePromotion, DOMAIN, "change_promotion", roles::ADMINS => Promotion, PricingError,
    key = |c| Some(c.id.0), sensitive = true, recorded = ["changes.reward"]);

/// Deletes a promotion. Placed orders keep their discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletePromotion {
    pub id: PromotionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(DeletePromotion, DOMAIN, "delete_promotion", roles::ADMINS => Deleted, PricingError,
    key = |c| Some(c.id.0), sensitive = true);
