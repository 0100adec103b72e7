//! Totals: the only place where discounts, shipping and tax are computed.
//!
//! Guarantees: amounts are integers of minor units; every rounding is written down (`engine/rounding.rs`) and depends
//! on the lines and rules alone. All quotes of one request are by the rules of one moment, and name the versions of the
//! rules that they used. Without any rules the total of lines is their subtotal.
//!
//! To read first: `engine.rs` (how a quote is made), `store/rules.rs` (its rules), `commands/promotions.rs`.

mod check;
mod commands;
mod engine;
mod queries;
mod store;

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::pricing::{
    ChangePromotion, ChangeShippingZone, ChangeTaxRate, CreatePromotion, CreateShippingZone, CreateTaxRate, DOMAIN,
    DeletePromotion, DeleteShippingZone, DeleteTaxRate, GetPromotion, GetQuotes, GetShippingZone, GetTaxRate,
    ListPromotions, ListShippingZones, ListTaxRates,
};

/// The domain.
#[derive(Debug, Default)]
pub struct Pricing;

impl Domain for Pricing {
    const NAME: &'static str = DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/pricing")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.query::<ListTaxRates>();
        routes.query::<GetTaxRate>();
        routes.command::<CreateTaxRate>();
        routes.command::<ChangeTaxRate>();
        routes.command::<DeleteTaxRate>();
        routes.query::<ListShippingZones>();
        routes.query::<GetShippingZone>();
        routes.command::<CreateShippingZone>();
        routes.command::<ChangeShippingZone>();
        routes.command::<DeleteShippingZone>();
        routes.query::<ListPromotions>();
        routes.query::<GetPromotion>();
        routes.command::<CreatePromotion>();
        routes.command::<ChangePromotion>();
        routes.command::<DeletePromotion>();
        routes.batched_query::<GetQuotes>();
    }
}
