//! Carts: one per customer, or one per guest's token.
//!
//! Promises: a cart holds one currency, 100 lines and 10,000 units of a line at most; nothing goes into it that cannot be
//! bought now; prices and availability are those of now, asked of catalog and inventory at every look; a price that differs
//! from the one that the buyer's last change accepted is marked; what an order took leaves the cart once. A cart holds no
//! stock: only an order does.

mod add_item;
mod basket;
mod change_item;
mod changing;
mod clear_cart;
mod create_cart;
mod drop_ordered;
mod forget_guests;
mod get_cart;
mod get_contents;
mod owner;
mod quotes;
mod remove_item;
mod store;

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{carts as messages, orders};

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
        routes.event::<orders::Confirmed>();
        routes.tidied();
    }
}
