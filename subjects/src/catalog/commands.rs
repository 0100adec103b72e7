//! The commands on products and categories.

use contract::command;
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use super::{Attributes, CatalogError, Category, DOMAIN, Product};
use crate::{CategoryId, Money, ProductId, roles};

/// A variant of a new product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewVariant {
    pub sku: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The price; the product's price if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// The initial units in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
}

/// A new product. Without variants it gets a default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewProduct {
    /// 1 to 200 characters.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Unique; derived from the name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    /// The SKU of the default variant; unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    pub price: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<NewVariant>>,
    /// The initial units in stock of the default variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_featured: Option<bool>,
}

/// Creates a product, owned by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateProduct {
    pub product: NewProduct,
}
command!(CreateProduct, DOMAIN, "create_product", roles::SELLERS => Product, CatalogError, key = |_| None,
    sensitive = true,
    recorded = ["product.price", "product.compare_price", "product.cost_price", "product.on_hand",
        "product.variants.price", "product.variants.on_hand"]);

/// The changes of a product. Absent fields stay unchanged; null clears `description`, `category_id`, `attributes`,
/// `compare_price` and `cost_price`, and is rejected for the other fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ProductChanges {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub description: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub category_id: Option<Option<CategoryId>>,
    /// The new price of every variant that has the product's price.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub price: Option<Money>,
    /// Replaces all attributes.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub attributes: Option<Option<Attributes>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub compare_price: Option<Option<Money>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub cost_price: Option<Option<Money>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub is_active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::unwrap_or_skip")]
    pub is_featured: Option<bool>,
}

/// Changes a product. Sellers may change their own products, admins any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeProduct {
    pub product_id: ProductId,
    pub changes: ProductChanges,
    /// Rejected if the product has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangeProduct, DOMAIN, "change_product", roles::SELLERS => Product, CatalogError,
    key = |c| Some(c.product_id.0), sensitive = true,
    recorded = ["changes.price", "changes.compare_price", "changes.cost_price"]);

/// Creates a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateCategory {
    pub name: String,
    pub slug: String,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CategoryId>,
}
command!(CreateCategory, DOMAIN, "create_category", roles::ADMINS => Category, CatalogError, key = |_| None);

#[cfg(test)]
mod tests {
    use contract::{Format, UnknownFields};

    use super::*;

    #[test]
    fn absent_null_and_a_value_travel_as_themselves() {
        for (compare_price, json) in [
            (None, "{}"),
            (Some(None), r#"{"compare_price":null}"#),
            (Some(Some(Money::new(1, crate::Currency::USD))), r#"{"compare_price":{"amount":1,"currency":"USD"}}"#),
        ] {
            let changes = ProductChanges { compare_price, ..Default::default() };
            assert_eq!(Format::Json.encode(&changes).unwrap(), json.as_bytes());
            for format in [Format::Json, Format::MessagePack] {
                let bytes = format.encode(&changes).unwrap();
                assert_eq!(format.decode_request::<ProductChanges>(&bytes, UnknownFields::Reject).unwrap(), changes);
                assert_eq!(format.decode::<ProductChanges>(&bytes).unwrap(), changes);
            }
        }
    }

    /// Where something is made there is nothing to clear.
    #[test]
    fn a_new_category_may_have_null_for_what_it_lacks() {
        let text = br#"{"name":"Lamps","slug":"lamps","description":null,"parent_id":null}"#;
        let command: CreateCategory = Format::Json.decode_request(text, UnknownFields::Reject).unwrap();
        assert_eq!((command.description.as_str(), command.parent_id), ("", None));
    }
}
