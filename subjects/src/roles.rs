//! The roles an access token may name, and who may call what.

use contract::Access;

/// Buys.
pub const CUSTOMER: &str = "customer";
/// Sells own products.
pub const SELLER: &str = "seller";
/// Runs the shop.
pub const ADMIN: &str = "admin";

/// Every role.
pub const ALL: [&str; 3] = [CUSTOMER, SELLER, ADMIN];

/// Anybody with an account.
pub const SIGNED_IN: Access = Access::Roles(&ALL);
/// Anybody with an account, or with the token of a guest's cart.
pub const SIGNED_IN_OR_GUEST: Access = Access::RolesOrCapability(&ALL);
/// The same, where the token opens more than the account: the orders that were placed with it.
pub const SIGNED_IN_AND_GUEST: Access = Access::RolesAndCapability(&ALL);
/// Sellers (own things) and admins.
pub const SELLERS: Access = Access::Roles(&[SELLER, ADMIN]);
/// Admins.
pub const ADMINS: Access = Access::Roles(&[ADMIN]);
