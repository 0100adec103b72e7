//! What the shop sells, and for how much: products, their variants, and the tree of categories.
//!
//! What it promises: it is the price authority, so nobody else states a price. A product has at least one variant, and
//! all of them one currency, which never changes. What a product cost its seller is shown to that seller and to admins.
//! How much of a variant can be bought is inventory's to say; here stands what it said last. Whether it can be bought
//! at all is decided here, and other domains ask: the product is active, and its seller may sell.

mod change_product;
mod check;
mod create_category;
mod create_product;
mod get_product;
mod list_categories;
mod list_products;
mod offers;
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
        routes.projected_event::<StockChanged>();
        routes.projected_event::<UserChanged>();
        routes.projected_event::<UserDeactivated>();
        routes.projected_event::<UserReactivated>();
    }
}
