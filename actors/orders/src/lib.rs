//! Orders: owns the life cycle of an order.
//!
//! Guarantees: an order keeps the prices and totals of the moment it was placed; a cart has at most one undecided
//! order; every visible change is a transition of the state machine ([`machine`]) and emits an event; an order is
//! confirmed only when its stock is reserved and its payment is captured; a deadline never expires a paid order.
//!
//! To read first: `machine.rs` (the transitions), `commands/place.rs`, `reactions.rs` (events as inputs).

mod access;
mod commands;
mod config;
mod fields;
pub mod machine;
mod number;
mod queries;
mod reactions;
mod store;

pub use config::OrdersConfig;

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{carts, catalog, inventory, orders as messages, payments, pricing};

/// The orders domain.
#[derive(Debug)]
pub struct Orders {
    payment_deadline: chrono::Duration,
}

impl Orders {
    /// Creates the domain.
    pub fn new(config: &OrdersConfig) -> Self {
        // Capped at a year, also if the configured duration is out of `chrono`'s range.
        let year = chrono::Duration::days(365);
        let payment_deadline = chrono::Duration::from_std(config.payment_deadline).unwrap_or(year).min(year);
        Self { payment_deadline }
    }
}

impl Domain for Orders {
    const NAME: &'static str = messages::DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/orders")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.prepared_batched_command::<messages::PlaceOrder>();
        routes.command::<messages::CancelOrder>();
        routes.prepared_command::<messages::SetStatus>();
        routes.batched_query::<messages::GetOrder>();
        routes.query::<messages::ListOrders>();
        routes.query::<messages::GetHistory>();
        routes.query::<messages::GetPayable>();
        routes.query::<messages::GetLines>();

        routes.batched_command::<messages::RequestExpiry>();
        routes.deadline::<messages::RequestExpiry>();

        routes.calls::<catalog::GetOffers>();
        routes.calls::<pricing::GetQuotes>();
        routes.calls::<inventory::CheckAvailability>();
        routes.calls::<carts::GetContents>();
        routes.calls::<payments::GetAction>();
        routes.calls::<payments::GetPendingRefund>();

        routes.event::<inventory::Reserved>();
        routes.event::<inventory::ReservationRejected>();
        routes.event::<payments::ActionRequired>();
        routes.event::<payments::Succeeded>();
        routes.event::<payments::PaymentFailed>();
        routes.event::<payments::PaymentCancelled>();
        routes.event::<payments::Refunded>();
        routes.event::<payments::RefundFailed>();
        routes.event::<payments::DisputeLost>();
    }
}
