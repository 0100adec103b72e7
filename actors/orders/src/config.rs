//! The configuration of the domain.

use std::time::Duration;

/// The configuration of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrdersConfig {
    /// The time within which an order must be paid (`SOUK_ORDERS_PAYMENT_DEADLINE`).
    pub payment_deadline: Duration,
}

impl Default for OrdersConfig {
    fn default() -> Self {
        Self { payment_deadline: Duration::from_secs(15 * 60) }
    }
}
