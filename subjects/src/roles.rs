//! The roles of access tokens, and the access of operations.

use contract::Access;

/// A buyer.
pub const CUSTOMER: &str = "customer";
/// Sells their own products.
pub const SELLER: &str = "seller";
/// Administers the shop.
pub const ADMIN: &str = "admin";

/// Every role.
pub const ALL: [&str; 3] = [CUSTOMER, SELLER, ADMIN];

/// The roles whose commands are recorded in the audit log.
pub const STAFF: [&str; 2] = [SELLER, ADMIN];

/// Any account.
pub const SIGNED_IN: Access = Access::Roles(&ALL);
/// Any account, or a caller with the token of a guest's cart.
pub const SIGNED_IN_OR_GUEST: Access = Access::RolesOrCapability(&ALL);
/// As above, but beside an account the token grants additional access, to the orders that were placed with it.
pub const SIGNED_IN_AND_GUEST: Access = Access::RolesAndCapability(&ALL);
/// Sellers (their own entities) and admins.
pub const SELLERS: Access = Access::Roles(&[SELLER, ADMIN]);
/// Admins.
pub const ADMINS: Access = Access::Roles(&[ADMIN]);
