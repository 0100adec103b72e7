//! Products, their variants and categories. Catalog is the price authority.

mod commands;
mod error;
mod events;
mod model;
mod queries;

use crate::registry::MessageInfo;

pub use commands::{ChangeProduct, CreateCategory, CreateProduct, NewProduct, NewVariant, ProductChanges};
pub use error::CatalogError;
pub use events::{PriceChanged, ProductCreated, ProductUpdated, VariantFact};
pub use model::{Attributes, Categories, Category, PriceRange, Product, Products, Variant};
pub use queries::{GetOffers, GetProduct, ListCategories, ListProducts, Offer, Offers, ProductSort};

/// The domain's name.
pub const DOMAIN: &str = "catalog";

/// The most variants of a product.
pub const MAX_VARIANTS: usize = 100;

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::query::<GetProduct>(),
        MessageInfo::query::<ListProducts>(),
        MessageInfo::query::<ListCategories>(),
        MessageInfo::command::<CreateProduct>(),
        MessageInfo::command::<ChangeProduct>(),
        MessageInfo::command::<CreateCategory>(),
        MessageInfo::query::<GetOffers>(),
        MessageInfo::event::<ProductCreated>(),
        MessageInfo::event::<ProductUpdated>(),
        MessageInfo::event::<PriceChanged>(),
    ]
}
