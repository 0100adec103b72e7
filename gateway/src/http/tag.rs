//! How the paths and the OpenAPI document are divided.

use poem_openapi::Tags;

/// The base of all paths but those of health and keys.
pub(crate) const BASE: &str = "/api/v1";

/// How the document is divided.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Accounts and tokens.
    Auth,
    /// What only admins may do.
    Admin,
    /// Products and categories.
    Products,
    /// Stock.
    Inventory,
    /// The caller's cart: a customer's, or a guest's by its token.
    Carts,
    /// Orders and their story.
    Orders,
    /// Payments and refunds.
    Payments,
    /// The buyer's part with the simulated provider; only in a local stack.
    Sandbox,
    /// Whether the system is well.
    Health,
}
