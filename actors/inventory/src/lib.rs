//! Inventory: stock, reservations of orders, and the ledger of every change.
//!
//! Guarantees: no unit is reserved or sold twice; an order reserves all of its lines or none; per variant
//! `received = available + reserved + sold`, always. A reservation has no timeout: only an event of its order ends it.
//! Stock on hand and reserved stock are shown to the product's seller and admins; the public sees only the available
//! units of variants that catalog offers.
//!
//! To read first: `machine.rs` (a reservation), `machine/account.rs` (a batch), `shelf.rs` (a variant's stock).

mod commands;
mod create_shelves;
mod machine;
mod offers;
mod queries;
mod reactions;
mod shelf;
mod store;
mod trim_ledger;

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
        routes.query::<messages::GetProductStock>();
        routes.query::<messages::ListLowStock>();
        routes.query::<messages::CheckAvailability>();
        routes.query::<messages::ListMovements>();
        routes.prepared_batched_command::<messages::SetStock>();
        routes.calls::<catalog::GetOffers>();
        routes.history();
        routes.event::<catalog::ProductCreated>();
        routes.event::<orders::Placed>();
        routes.event::<orders::Confirmed>();
        routes.event::<orders::Failed>();
        routes.event::<orders::Cancelled>();
        routes.event::<orders::Expired>();
        routes.event::<orders::Returned>();
    }
}
