//! Carts: one per customer, and one per guest token.
//!
//! Guarantees: a cart holds one currency, at most 100 lines and at most 10,000 units per line. Only variants that can
//! be bought now are added. Prices and availability are current: every read queries catalog and inventory. A price that
//! differs from the one accepted by the buyer's last change is marked. Ordered units are removed from the cart once. A
//! cart reserves no stock: only an order does.
//!
//! To read first: `basket.rs` (the rules), `commands/add_item.rs`, `quotes.rs` (prices and availability).

mod basket;
mod commands;
mod delete_guests;
mod estimate;
mod owner;
mod queries;
mod quotes;
mod reactions;
mod store;

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{carts as messages, catalog, inventory, orders, pricing};

/// The carts domain.
#[derive(Debug, Default)]
pub struct Carts;

impl Domain for Carts {
    const NAME: &'static str = messages::DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/carts")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.batched_query::<messages::GetCart>();
        routes.query::<messages::GetContents>();
        routes.command::<messages::CreateCart>();
        routes.batched_command::<messages::ClearCart>();
        routes.prepared_batched_command::<messages::AddItem>();
        routes.prepared_batched_command::<messages::ChangeItem>();
        routes.prepared_batched_command::<messages::RemoveItem>();
        routes.calls::<catalog::GetOffers>();
        routes.calls::<inventory::CheckAvailability>();
        routes.calls::<pricing::GetQuotes>();
        routes.event::<orders::Confirmed>();
        routes.retention();
    }
}
