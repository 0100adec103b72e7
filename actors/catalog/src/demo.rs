//! The goods of the demo shop, as plain data. Whoever seeds sends them as commands, under ids made from the slugs, so
//! that seeding twice changes nothing.

mod clothing;
mod home;
mod kitchen;
mod outdoors;

use subjects::{
    CategoryId, Currency, Money,
    catalog::{Attributes, CreateCategory, CreateProduct, NewProduct, NewVariant},
};
use uuid::Uuid;

/// A category of the demo shop.
#[derive(Debug, Clone, Copy)]
pub struct DemoCategory {
    pub slug: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// The slug of the category above it, which stands before it in [`categories`].
    pub parent: Option<&'static str>,
}

impl DemoCategory {
    /// The command that makes it, below the category its parent became.
    pub fn command(&self, parent_id: Option<CategoryId>) -> CreateCategory {
        CreateCategory {
            name: self.name.into(),
            slug: self.slug.into(),
            description: self.description.into(),
            parent_id,
        }
    }

    /// The id under which that command is sent.
    pub fn command_id(&self) -> Uuid {
        command_id("category", self.slug)
    }
}

/// A variant of a product of the demo shop.
#[derive(Debug, Clone, Copy)]
pub struct DemoVariant {
    pub sku: &'static str,
    pub name: &'static str,
    /// Cents, where it is not the product's price.
    pub price: Option<i64>,
    pub attributes: &'static [(&'static str, &'static str)],
    pub on_hand: i64,
}

/// A product of the demo shop, priced in US cents.
#[derive(Debug, Clone, Copy)]
pub struct DemoProduct {
    pub slug: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// The slug of its category.
    pub category: &'static str,
    pub price: i64,
    pub compare_price: Option<i64>,
    pub cost_price: i64,
    pub is_featured: bool,
    pub attributes: &'static [(&'static str, &'static str)],
    /// Empty where the product has a default variant only.
    pub variants: &'static [DemoVariant],
    /// Of the default variant.
    pub on_hand: i64,
}

impl DemoProduct {
    /// What is left out of a product's literal.
    const PLAIN: Self = Self {
        slug: "",
        name: "",
        description: "",
        category: "",
        price: 0,
        compare_price: None,
        cost_price: 0,
        is_featured: false,
        attributes: &[],
        variants: &[],
        on_hand: 0,
    };

    /// The command that makes it, in the category its category became.
    pub fn command(&self, category_id: CategoryId) -> CreateProduct {
        let usd = |amount| Money::new(amount, Currency::USD);
        let variant = |variant: &DemoVariant| NewVariant {
            sku: variant.sku.into(),
            name: Some(variant.name.into()),
            price: variant.price.map(usd),
            attributes: Some(attributes(variant.attributes)),
            on_hand: Some(variant.on_hand),
        };
        let is_plain = self.variants.is_empty();
        let product = NewProduct {
            name: self.name.into(),
            description: Some(self.description.into()),
            slug: Some(self.slug.into()),
            category_id: Some(category_id),
            sku: None,
            price: usd(self.price),
            attributes: Some(attributes(self.attributes)),
            variants: (!is_plain).then(|| self.variants.iter().map(variant).collect()),
            on_hand: is_plain.then_some(self.on_hand),
            compare_price: self.compare_price.map(usd),
            cost_price: Some(usd(self.cost_price)),
            is_active: None,
            is_featured: Some(self.is_featured),
        };
        CreateProduct { product }
    }

    /// The id under which that command is sent.
    pub fn command_id(&self) -> Uuid {
        command_id("product", self.slug)
    }
}

/// A variant, in one line.
const fn variant(
    sku: &'static str,
    name: &'static str,
    price: Option<i64>,
    attributes: &'static [(&'static str, &'static str)],
    on_hand: i64,
) -> DemoVariant {
    DemoVariant { sku, name, price, attributes, on_hand }
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn command_id(kind: &str, slug: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("souk:demo/{kind}/{slug}").as_bytes())
}

/// The categories, each behind the one above it.
pub fn categories() -> Vec<DemoCategory> {
    let category = |slug, name, description, parent| DemoCategory { slug, name, description, parent };
    vec![
        category("kitchen", "Kitchen", "Everything around the stove and the table.", None),
        category("coffee-and-tea", "Coffee & Tea", "Kettles, grinders, cups and what goes in them.", Some("kitchen")),
        category("cookware", "Cookware", "Pots, pans and knives that last.", Some("kitchen")),
        category("tableware", "Tableware", "Plates, bowls and glasses.", Some("kitchen")),
        category("clothing", "Clothing", "Natural fibres, cut to be worn for years.", None),
        category("shirts", "Shirts", "Linen, cotton and flannel.", Some("clothing")),
        category("knitwear", "Knitwear", "Wool and cotton knits.", Some("clothing")),
        category("home", "Home", "For the rooms one lives in.", None),
        category("lighting", "Lighting", "Lamps and candles.", Some("home")),
        category("textiles", "Textiles", "Blankets, towels and bed linen.", Some("home")),
        category("outdoors", "Outdoors", "For weather of every kind.", None),
        category("camping", "Camping", "Nights under the sky.", Some("outdoors")),
        category("bags", "Bags", "To carry all of it.", Some("outdoors")),
    ]
}

/// The products.
pub fn products() -> Vec<DemoProduct> {
    [kitchen::PRODUCTS, clothing::PRODUCTS, home::PRODUCTS, outdoors::PRODUCTS].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_category_stands_behind_the_one_above_it() {
        let mut seen = HashSet::new();
        for category in categories() {
            assert!(category.parent.is_none_or(|parent| seen.contains(parent)), "{}", category.slug);
            assert!(seen.insert(category.slug), "{} is there twice", category.slug);
        }
    }

    #[test]
    fn every_product_is_one_that_the_shop_takes() {
        let categories: HashSet<_> = categories().iter().map(|category| category.slug).collect();
        let (mut slugs, mut skus) = (HashSet::new(), HashSet::new());
        for product in products() {
            assert!(categories.contains(product.category), "{}", product.category);
            assert!(slugs.insert(product.slug), "{} is there twice", product.slug);
            assert!(product.cost_price < product.price, "{}", product.slug);
            assert!(product.compare_price.is_none_or(|was| was > product.price), "{}", product.slug);
            assert!(product.variants.is_empty() || product.on_hand == 0, "{}", product.slug);
            for variant in product.variants {
                assert!(skus.insert(variant.sku), "{} is there twice", variant.sku);
            }
            let command = product.command(CategoryId::new());
            assert_eq!(crate::create_product::validate(&command.product), Ok(()), "{}", product.slug);
        }
        assert!(slugs.len() >= 40, "{}", slugs.len());
    }
}
