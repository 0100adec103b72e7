//! Tax rates, shipping zones and promotions in replies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use crate::{
    CategoryId, Money, Pagination, ProductId, PromotionId, ShippingMethodId, ShippingZoneId, TaxRateId, VariantId,
    labels,
};

/// A tax rate of a country or of one of its states. All rates apply that match a line's tax category and the address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct TaxRate {
    pub id: TaxRateId,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// In upper case; absent if the rate applies to the whole country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub state: Option<String>,
    pub name: String,
    /// Millionths: 190000 is 19 %.
    pub rate: i64,
    /// Whether prices contain the tax.
    pub inclusive: bool,
    /// `standard` of lines without a category, `shipping` of the shipping charge.
    pub tax_category: String,
    /// Increases with every change of the tax rate; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A page of tax rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct TaxRates {
    pub data: Vec<TaxRate>,
    pub pagination: Pagination,
}

labels! {
    /// What the price of a shipping method depends on.
    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub ShippingKind {
        /// On nothing.
        Flat = "flat",
        /// On the weight of the goods.
        ByWeight = "by_weight",
        /// On the price of the goods after discounts.
        BySubtotal = "by_subtotal",
    }
}

/// A tier of a shipping rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ShippingTier {
    /// The lowest weight in grams, of a method by weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub from_weight: Option<i64>,
    /// The lowest price of the goods, of a method by subtotal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub from_subtotal: Option<Money>,
    pub price: Money,
}

/// The price of a shipping method in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ShippingRate {
    /// The price below the first tier.
    pub price: Money,
    /// In ascending order; none for a flat method.
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub tiers: Vec<ShippingTier>,
    /// Goods for this amount or more, after discounts, are shipped free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub free_above: Option<Money>,
}

/// A shipping method of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ShippingMethod {
    pub id: ShippingMethodId,
    pub name: String,
    pub kind: ShippingKind,
    /// One per currency. The method is not available in others.
    pub rates: Vec<ShippingRate>,
}

/// Countries with the shipping methods to them. A country may be in several zones and has the methods of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct ShippingZone {
    pub id: ShippingZoneId,
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub methods: Vec<ShippingMethod>,
    /// Increases with every change of the zone; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A page of shipping zones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ShippingZones {
    pub data: Vec<ShippingZone>,
    pub pagination: Pagination,
}

labels! {
    /// What a promotion gives.
    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub RewardKind {
        /// A part of the price.
        Percent = "percent",
        /// An amount.
        Amount = "amount",
        /// Shipping without charge.
        FreeShipping = "free_shipping",
        /// Some of the units cheaper or free.
        BuyXGetY = "buy_x_get_y",
    }
}

/// What a promotion gives. The fields depend on its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Reward {
    pub kind: RewardKind,
    /// Millionths: 100000 is 10 % off. Required for `percent`; for `buy_x_get_y` what the units are reduced by, free if
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub rate: Option<i64>,
    /// For `amount`: one per currency. The promotion does not apply in others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub amounts: Option<Vec<Money>>,
    /// For `buy_x_get_y`: the units at the full price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub buy: Option<i64>,
    /// For `buy_x_get_y`: the units that are reduced, the cheapest ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub get: Option<i64>,
}

/// When a promotion applies, and to which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Conditions {
    /// The lowest subtotal of all lines before discounts, one per currency. With any, the promotion does not apply in
    /// other currencies.
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub minimum_subtotals: Vec<Money>,
    /// The promotion concerns lines of these variants, products and categories, or all if none are named.
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub variant_ids: Vec<VariantId>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub product_ids: Vec<ProductId>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    #[cfg_attr(feature = "openapi", oai(default))]
    pub category_ids: Vec<CategoryId>,
}

labels! {
    /// Whether a promotion applies beside others.
    #[derive(Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub Stacking {
        /// Beside other combinable ones.
        #[default]
        Combinable = "combinable",
        /// Alone: only if no promotion before it applies, and then none after it.
        Exclusive = "exclusive",
    }
}

/// A promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Promotion {
    pub id: PromotionId,
    pub name: String,
    /// The coupon that it needs, in upper case; absent if it applies by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub code: Option<String>,
    pub is_active: bool,
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub reward: Reward,
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub conditions: Conditions,
    /// Its first moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub starts_at: Option<DateTime<Utc>>,
    /// The first moment after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub ends_at: Option<DateTime<Utc>>,
    pub stacking: Stacking,
    /// Promotions apply in the order of their priorities, the highest first; of equal ones the oldest first.
    pub priority: i64,
    /// Increases with every change of the promotion; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A page of promotions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Promotions {
    pub data: Vec<Promotion>,
    pub pagination: Pagination,
}
