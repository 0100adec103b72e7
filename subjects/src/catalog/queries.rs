//! The queries of products and categories, for clients and for other domains.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use contract::{Access, Coalesce, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use super::{CatalogError, Categories, DOMAIN, MAX_VARIANTS, Product, Products};
use crate::{CategoryId, Currency, Money, PageRequest, ProductId, UserId, VariantId};

/// Returns a product by id or slug. A product that is not for sale (inactive, or of a seller who may not sell) is
/// returned to its seller and to admins only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetProduct {
    /// Id or slug.
    pub id: String,
}
query!(GetProduct, DOMAIN, "get_product", Access::Public => Product, CatalogError);

/// The sort order of a list of products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductSort {
    #[default]
    #[serde(rename = "-created_at")]
    Newest,
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    #[serde(rename = "price")]
    Price,
    #[serde(rename = "-price")]
    PriceDescending,
}

/// Lists the products that the caller may see, filtered: the public sees products for sale, a seller also all of their
/// own, an admin all. A product matches if one of its variants satisfies `min_price`, `max_price` and `in_stock`
/// together; when sorted by price, the cheapest of those variants counts, or the most expensive for `-price`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProducts {
    /// Id or slug; products of its subcategories are included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Minor units, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_price: Option<i64>,
    /// Minor units, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<i64>,
    /// The shop's currency by default, if the list is filtered or sorted by price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub featured: Option<bool>,
    /// Narrows what the caller may see: `false` returns nothing to the public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Terms that the name or description must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub sort: ProductSort,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListProducts, DOMAIN, "list_products", Access::Public => Products, CatalogError);

/// Lists all categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCategories {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListCategories, DOMAIN, "list_categories", Access::Public => Categories, CatalogError);

/// The current offer for a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Offer {
    pub variant_id: VariantId,
    pub product_id: ProductId,
    /// The product's category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    pub seller_id: UserId,
    pub sku: String,
    pub name: String,
    #[cfg_attr(feature = "sqlx", sqlx(flatten))]
    pub price: Money,
    /// Whether it can be bought: the product is active, and its seller may sell.
    pub is_active: bool,
    /// The product's version when the offer was read.
    pub version: i64,
}

/// Returns the offers for variants, and for every variant of products. Unknown ones are absent from the reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOffers {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub variant_ids: Vec<VariantId>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub product_ids: Vec<ProductId>,
}
query!(GetOffers, DOMAIN, "offers", Access::Internal => Offers, CatalogError);

/// Offers, and the time when they were read, by the clock of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    pub offers: Vec<Offer>,
    pub at: DateTime<Utc>,
}

impl Coalesce for GetOffers {
    const MAX_KEYS: usize = 500;

    /// A product counts as all the variants that it may have.
    fn keys(&self) -> usize {
        self.variant_ids.len() + self.product_ids.len() * MAX_VARIANTS
    }

    fn merge(queries: &[&Self]) -> Self {
        let variant_ids: BTreeSet<_> = queries.iter().flat_map(|query| &query.variant_ids).copied().collect();
        let product_ids: BTreeSet<_> = queries.iter().flat_map(|query| &query.product_ids).copied().collect();
        Self { variant_ids: variant_ids.into_iter().collect(), product_ids: product_ids.into_iter().collect() }
    }

    fn split(queries: &[&Self], Offers { offers, at }: Offers) -> Vec<Offers> {
        let mut by_variant = HashMap::with_capacity(offers.len());
        let mut by_product: HashMap<_, Vec<_>> = HashMap::new();
        for offer in &offers {
            by_variant.insert(offer.variant_id, offer);
            by_product.entry(offer.product_id).or_default().push(offer);
        }
        let of = |query: &&Self| {
            let named = query.variant_ids.iter().filter_map(|id| by_variant.get(id).copied());
            let all = named.chain(query.product_ids.iter().filter_map(|id| by_product.get(id)).flatten().copied());
            // A query may name a variant both directly and through its product.
            let offers: BTreeMap<_, _> = all.map(|offer| (offer.variant_id, offer)).collect();
            Offers { offers: offers.into_values().cloned().collect(), at }
        };
        queries.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(variant: u128, product: u128) -> Offer {
        Offer {
            variant_id: VariantId(uuid::Uuid::from_u128(variant)),
            product_id: ProductId(uuid::Uuid::from_u128(product)),
            category_id: None,
            seller_id: UserId(uuid::Uuid::nil()),
            sku: variant.to_string(),
            name: "Thing".into(),
            price: Money::new(100, Currency::USD),
            is_active: true,
            version: 1,
        }
    }

    fn query(variants: &[u128], products: &[u128]) -> GetOffers {
        GetOffers {
            variant_ids: variants.iter().map(|id| VariantId(uuid::Uuid::from_u128(*id))).collect(),
            product_ids: products.iter().map(|id| ProductId(uuid::Uuid::from_u128(*id))).collect(),
        }
    }

    #[test]
    fn queries_travel_together_and_each_gets_its_own_offers() {
        let queries =
            [query(&[1, 3], &[]), query(&[3, 2], &[]), query(&[], &[20]), query(&[3], &[20]), query(&[9], &[])];
        let queries: Vec<&GetOffers> = queries.iter().collect();
        assert_eq!(GetOffers::merge(&queries), query(&[1, 2, 3, 9], &[20]));
        assert_eq!(queries.iter().map(|query| query.keys()).collect::<Vec<_>>(), [2, 2, 100, 101, 1]);
        // Variants 3 and 4 are of product 20; 9 does not exist.
        let offers = vec![offer(1, 10), offer(2, 11), offer(3, 20), offer(4, 20)];
        let parts = GetOffers::split(&queries, Offers { offers, at: DateTime::UNIX_EPOCH });
        let skus: Vec<Vec<&str>> =
            parts.iter().map(|part| part.offers.iter().map(|offer| offer.sku.as_str()).collect()).collect();
        assert_eq!(skus, [vec!["1", "3"], vec!["2", "3"], vec!["3", "4"], vec!["3", "4"], vec![]]);
        assert!(parts.iter().all(|part| part.at == DateTime::UNIX_EPOCH));
    }
}
