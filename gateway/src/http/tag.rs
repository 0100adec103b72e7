//! The base path and the tags of the OpenAPI document.

use poem_openapi::Tags;

/// The base of all paths except those of health and keys.
pub(crate) const BASE: &str = "/api/v1";

/// The tags of the OpenAPI document.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Accounts and tokens.
    Auth,
    /// Administration: accounts, conservation checks and dead letters.
    Admin,
    /// Products and categories.
    Products,
    /// Stock.
    Inventory,
    /// Tax rates, shipping zones and promotions.
    Pricing,
    /// The caller's cart: a customer's, or a guest's by its token.
    Carts,
    /// Orders and their history.
    Orders,
    /// Payments and refunds.
    Payments,
    /// The buyer's actions at the simulated provider; only in a local stack.
    Sandbox,
    /// Liveness, readiness and the health of the system.
    Health,
}
