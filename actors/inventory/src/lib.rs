//! Inventory: what is on the shelf, what is held for orders, and the ledger of every change.
//!
//! Promises: no unit is held or sold twice; an order holds all of its lines or none; per variant
//! `received = available + reserved + sold`, always. What is held for an order has no clock of its own: only an event
//! that ends the order ends it. What is on a shelf and what is held is shown to the product's seller and to admins; the
//! public sees what it can buy, which is nothing of a variant that catalog does not offer.

mod account;
mod check_availability;
mod create_shelves;
mod get_stock;
mod list_movements;
mod offers;
mod reactions;
mod reservation;
mod set_stock;
mod shelf;
mod store;

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{catalog, inventory as messages, orders};

/// The inventory domain.
#[derive(Debug, Default)]
pub struct Inventory;

impl Domain for Inventory {
    const NAME: &'static str = messages::DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/inventory")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.batched_query::<messages::GetStock>();
        routes.query::<messages::CheckAvailability>();
        routes.query::<messages::ListMovements>();
        routes.prepared_batched_command::<messages::SetStock>();
        routes.event::<catalog::ProductCreated>();
        routes.event::<orders::Placed>();
        routes.event::<orders::Confirmed>();
        routes.event::<orders::Failed>();
        routes.event::<orders::Cancelled>();
        routes.event::<orders::Expired>();
        routes.event::<orders::Returned>();
    }
}
