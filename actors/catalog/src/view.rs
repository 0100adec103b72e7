//! Visibility of products and their fields.

use runtime::Caller;
use subjects::{
    catalog::{PriceRange, Product, Variant, VariantFact},
    roles,
};
use uuid::Uuid;

use crate::store::{ProductRow, VariantRow, Viewer};

/// Whether a caller may see and change all fields of a seller's products.
pub(crate) fn may_manage(caller: &Caller, seller: Uuid) -> bool {
    let is_its_seller = caller.has_role(roles::SELLER) && caller.user_id() == Some(seller);
    caller.has_role(roles::ADMIN) || is_its_seller
}

/// Whether a caller may see that a product exists.
pub(crate) fn is_visible(row: &ProductRow, caller: &Caller) -> bool {
    row.is_for_sale() || may_manage(caller, row.seller_id)
}

/// The viewer whose lists contain the products for which [`is_visible`] holds.
pub(crate) fn viewer(caller: &Caller) -> Viewer {
    match caller.user_id() {
        Some(_) if caller.has_role(roles::ADMIN) => Viewer::Admin,
        Some(id) if caller.has_role(roles::SELLER) => Viewer::Seller(id),
        _ => Viewer::Public,
    }
}

/// The product as a caller sees it. The cost price is visible only to its seller and to admins.
pub(crate) fn product(row: &ProductRow, variants: &[VariantRow], caller: &Caller) -> Product {
    let money = |amount| subjects::Money::new(amount, row.currency);
    let shown_cost = row.cost_price.filter(|_| may_manage(caller, row.seller_id));
    let variant = |row: &VariantRow| Variant {
        id: subjects::VariantId(row.id),
        sku: row.sku.clone(),
        name: row.name.clone(),
        price: money(row.price),
        attributes: row.attributes.0.clone(),
        available: row.available,
    };
    let variants: Vec<_> = variants.iter().filter(|variant| variant.product_id == row.id).map(variant).collect();
    let prices = || variants.iter().map(|variant| variant.price.amount);
    let price_range = prices().min().zip(prices().max());
    Product {
        id: subjects::ProductId(row.id),
        slug: row.slug.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        category_id: row.category_id.map(subjects::CategoryId),
        category: row.category.clone(),
        seller_id: subjects::UserId(row.seller_id),
        price: money(row.price),
        price_range: price_range.map(|(min, max)| PriceRange { min: money(min), max: money(max) }),
        compare_price: row.compare_price.map(money),
        cost_price: shown_cost.map(money),
        attributes: row.attributes.0.clone(),
        variants,
        images: Vec::new(),
        is_active: row.is_active,
        is_featured: row.is_featured,
        version: row.version.get(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// A variant as other domains need to know it.
pub(crate) fn fact(product: &ProductRow, variant: &VariantRow) -> VariantFact {
    VariantFact {
        variant_id: subjects::VariantId(variant.id),
        sku: variant.sku.clone(),
        name: full_name(&product.name, &variant.name),
        price: subjects::Money::new(variant.price, product.currency),
        on_hand: None,
    }
}

/// The name of a variant where the product's name is not shown beside it: in a cart, in an order.
pub(crate) fn full_name(product: &str, variant: &str) -> String {
    if variant.contains(product) { variant.to_owned() } else { format!("{product} – {variant}") }
}

#[cfg(test)]
mod tests {
    use runtime::Identity;

    use super::*;

    fn user(id: Uuid, role: &str) -> Caller {
        Caller::User(Identity { id, role: role.into(), version: 1, session: Uuid::nil(), issued_at: 0 })
    }

    #[test]
    fn what_a_product_cost_is_shown_to_its_seller_and_to_admins() {
        let row = ProductRow { cost_price: Some(700), ..ProductRow::example() };
        let cost = |caller: &Caller| product(&row, &[], caller).cost_price.map(|money| money.amount);
        assert_eq!(cost(&user(row.seller_id, "seller")), Some(700));
        assert_eq!(cost(&user(Uuid::now_v7(), "admin")), Some(700));
        for stranger in [user(Uuid::now_v7(), "seller"), user(Uuid::now_v7(), "customer"), Caller::Anonymous] {
            assert_eq!(cost(&stranger), None);
        }
    }

    #[test]
    fn what_is_not_for_sale_is_seen_by_its_seller_and_admins_only() {
        let hidden = ProductRow { is_active: false, ..ProductRow::example() };
        let suspended = ProductRow { seller_may_sell: false, ..hidden.clone() };
        for row in [&hidden, &suspended, &ProductRow { is_active: true, ..suspended.clone() }] {
            assert!(is_visible(row, &user(row.seller_id, "seller")));
            assert!(is_visible(row, &user(Uuid::now_v7(), "admin")));
            let demoted = user(row.seller_id, "customer");
            for stranger in [user(Uuid::now_v7(), "seller"), demoted, Caller::Anonymous] {
                assert!(!is_visible(row, &stranger));
            }
        }
        assert!(is_visible(&ProductRow::example(), &Caller::Anonymous));
    }

    #[test]
    fn a_name_in_a_cart_says_what_it_is_a_variant_of() {
        assert_eq!(full_name("Linen Shirt", "Linen Shirt"), "Linen Shirt");
        assert_eq!(full_name("Linen Shirt", "M, blue"), "Linen Shirt – M, blue");
        assert_eq!(full_name("Linen Shirt", "Linen Shirt M"), "Linen Shirt M");
    }
}
