//! Totals: tax rates, shipping zones and promotions, and the quotes that are made from them.

mod commands;
mod error;
mod model;
mod queries;
mod quote;

use crate::registry::MessageInfo;

pub use commands::{
    ChangePromotion, ChangeShippingZone, ChangeTaxRate, CreatePromotion, CreateShippingZone, CreateTaxRate,
    DeletePromotion, DeleteShippingZone, DeleteTaxRate, Deleted, NewPromotion, NewShippingMethod, NewShippingZone,
    NewTaxRate, PromotionChanges, ShippingZoneChanges, TaxRateChanges,
};
pub use error::PricingError;
pub use model::{
    Conditions, Promotion, Promotions, Reward, RewardKind, ShippingKind, ShippingMethod, ShippingRate, ShippingTier,
    ShippingZone, ShippingZones, Stacking, TaxRate, TaxRates,
};
pub use queries::{GetPromotion, GetShippingZone, GetTaxRate, ListPromotions, ListShippingZones, ListTaxRates};
pub use quote::{
    Discount, Estimate, GetQuotes, LineShare, Problem, ProblemCode, Quote, QuoteLine, QuoteRequest, Quotes, RuleKind,
    RuleVersion, ShippingOption, TaxLine, Zone,
};

/// The domain's name.
pub const DOMAIN: &str = "pricing";

/// A rate of one: rates are millionths, so 190,000 is 19 % and 88,750 is 8.875 %.
pub const ONE: i64 = 1_000_000;

/// The tax category of lines that name none.
pub const STANDARD: &str = "standard";

/// The tax category of the shipping charge.
pub const SHIPPING: &str = "shipping";

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::query::<ListTaxRates>(),
        MessageInfo::query::<GetTaxRate>(),
        MessageInfo::command::<CreateTaxRate>(),
        MessageInfo::command::<ChangeTaxRate>(),
        MessageInfo::command::<DeleteTaxRate>(),
        MessageInfo::query::<ListShippingZones>(),
        MessageInfo::query::<GetShippingZone>(),
        MessageInfo::command::<CreateShippingZone>(),
        MessageInfo::command::<ChangeShippingZone>(),
        MessageInfo::command::<DeleteShippingZone>(),
        MessageInfo::query::<ListPromotions>(),
        MessageInfo::query::<GetPromotion>(),
        MessageInfo::command::<CreatePromotion>(),
        MessageInfo::command::<ChangePromotion>(),
        MessageInfo::command::<DeletePromotion>(),
        MessageInfo::query::<GetQuotes>(),
    ]
}
