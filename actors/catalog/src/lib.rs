//! The range of the shop: products, their variants and prices, and the category tree.
//!
//! Guarantees: this domain is the only source of prices. A product has at least one variant, and all its prices share
//! one currency, which never changes. The cost price is shown only to the product's seller and to admins. Inventory
//! owns the stock; this domain keeps a projection of what inventory last reported. This domain decides whether a
//! variant is for sale at all, and other domains query it: the product must be active, and its seller must be allowed
//! to sell.
//!
//! To read first: `commands/create_product.rs`, `store/listing.rs` (lists and filters), `reactions.rs` (the
//! projections).

mod check;
mod commands;
mod queries;
mod reactions;
mod search;
mod slug;
mod store;
mod view;

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{
    catalog::{
        ChangeProduct, CreateCategory, CreateProduct, DOMAIN, GetOffers, GetProduct, ListCategories, ListProducts,
    },
    identity::{UserChanged, UserDeactivated, UserReactivated},
    inventory::StockChanged,
};

/// The domain.
#[derive(Debug, Default)]
pub struct Catalog;

impl Domain for Catalog {
    const NAME: &'static str = DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/catalog")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.batched_query::<GetProduct>();
        routes.query::<ListProducts>();
        routes.query::<ListCategories>();
        routes.batched_query::<GetOffers>();
        routes.command::<CreateProduct>();
        routes.command::<ChangeProduct>();
        routes.command::<CreateCategory>();
        routes.projection::<StockChanged>();
        routes.projection::<UserChanged>();
        routes.projection::<UserDeactivated>();
        routes.projection::<UserReactivated>();
    }
}
