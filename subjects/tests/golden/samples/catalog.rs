use subjects::{
    Currency,
    catalog::{
        Attributes, CatalogError, Categories, Category, ChangeProduct, CreateCategory, CreateProduct, DOMAIN,
        GetOffers, GetProduct, ListCategories, ListProducts, NewProduct, NewVariant, Offer, Offers, PriceChanged,
        PriceRange, Product, ProductChanges, ProductCreated, ProductSort, ProductUpdated, Products, Variant,
        VariantFact,
    },
};

use super::{category_id, changed, fields, made, page, pagination, product_id, seller_id, text, usd, variant_id};
use crate::goldens::Goldens;

fn attributes() -> Attributes {
    Attributes::from([("colour".into(), "blue".into()), ("size".into(), "M".into())])
}

fn product() -> Product {
    let variant = Variant {
        id: variant_id(),
        sku: "SHIRT-M-BLUE".into(),
        name: "M, blue".into(),
        price: usd(4999),
        attributes: attributes(),
        available: 12,
    };
    Product {
        id: product_id(),
        slug: "linen-shirt".into(),
        name: "Linen shirt".into(),
        description: "Cut to be worn for years.".into(),
        category_id: Some(category_id()),
        category: text("Shirts"),
        seller_id: seller_id(),
        price: usd(4999),
        price_range: Some(PriceRange { min: usd(4999), max: usd(4999) }),
        compare_price: Some(usd(5999)),
        cost_price: Some(usd(2000)),
        attributes: attributes(),
        variants: vec![variant],
        images: vec!["/media/linen-shirt.webp".into()],
        is_active: true,
        is_featured: false,
        version: 2,
        created_at: made(),
        updated_at: changed(),
    }
}

fn category() -> Category {
    Category {
        id: category_id(),
        slug: "shirts".into(),
        name: "Shirts".into(),
        description: "Linen, cotton and flannel.".into(),
        parent_id: Some(category_id()),
        created_at: made(),
        updated_at: changed(),
    }
}

fn new_product() -> NewProduct {
    let variant = NewVariant {
        sku: "SHIRT-M-BLUE".into(),
        name: text("M, blue"),
        price: Some(usd(4999)),
        attributes: Some(attributes()),
        on_hand: Some(12),
    };
    NewProduct {
        name: "Linen shirt".into(),
        description: text("Cut to be worn for years."),
        slug: text("linen-shirt"),
        category_id: Some(category_id()),
        sku: text("SHIRT"),
        price: usd(4999),
        attributes: Some(attributes()),
        variants: Some(vec![variant]),
        on_hand: Some(12),
        compare_price: Some(usd(5999)),
        cost_price: Some(usd(2000)),
        is_active: Some(true),
        is_featured: Some(false),
    }
}

fn changes() -> ProductChanges {
    ProductChanges {
        name: text("Linen shirt"),
        description: Some(text("Cut to be worn for years.")),
        slug: text("linen-shirt"),
        category_id: Some(Some(category_id())),
        price: Some(usd(4500)),
        attributes: Some(Some(attributes())),
        compare_price: Some(Some(usd(5999))),
        cost_price: Some(Some(usd(2000))),
        is_active: Some(true),
        is_featured: Some(true),
    }
}

fn offers() -> Offers {
    let offer = Offer {
        variant_id: variant_id(),
        product_id: product_id(),
        category_id: Some(category_id()),
        seller_id: seller_id(),
        sku: "SHIRT-M-BLUE".into(),
        name: "Linen shirt, M, blue".into(),
        price: usd(4999),
        is_active: true,
        version: 2,
    };
    Offers { offers: vec![offer], at: made() }
}

fn fact() -> VariantFact {
    VariantFact {
        variant_id: variant_id(),
        sku: "SHIRT-M-BLUE".into(),
        name: "Linen shirt, M, blue".into(),
        price: usd(4999),
        on_hand: Some(12),
    }
}

pub fn add(goldens: &mut Goldens) {
    goldens.query(&GetProduct { id: "linen-shirt".into() }, &product());
    let list = ListProducts {
        category: text("shirts"),
        min_price: Some(1000),
        max_price: Some(9999),
        currency: Some(Currency::USD),
        seller: Some(seller_id()),
        in_stock: Some(true),
        featured: Some(false),
        is_active: Some(true),
        search: text("linen"),
        sort: ProductSort::PriceDescending,
        page: page(),
    };
    goldens.query(&list, &Products { data: vec![product()], pagination: pagination() });
    goldens.query(&ListCategories { page: page() }, &Categories { data: vec![category()], pagination: pagination() });
    goldens.command(&CreateProduct { product: new_product() }, &product());
    let change = ChangeProduct { product_id: product_id(), changes: changes(), expected_version: Some(1) };
    goldens.command(&change, &product());
    let create = CreateCategory {
        name: "Shirts".into(),
        slug: "shirts".into(),
        description: "Linen, cotton and flannel.".into(),
        parent_id: Some(category_id()),
    };
    goldens.command(&create, &category());
    goldens.query(&GetOffers { variant_ids: vec![variant_id()], product_ids: vec![product_id()] }, &offers());

    goldens.event(&ProductCreated {
        product_id: product_id(),
        seller_id: seller_id(),
        name: "Linen shirt".into(),
        category_id: Some(category_id()),
        variants: vec![fact()],
    });
    goldens.event(&ProductUpdated {
        product_id: product_id(),
        seller_id: seller_id(),
        name: "Linen shirt".into(),
        is_active: false,
    });
    let without_units = VariantFact { on_hand: None, ..fact() };
    goldens.event(&PriceChanged { product_id: product_id(), variants: vec![without_units] });

    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<CatalogError> {
    vec![
        CatalogError::ProductNotFound,
        CatalogError::CategoryNotFound,
        CatalogError::InvalidProduct { fields: fields() },
        CatalogError::InvalidCategory { fields: fields() },
        CatalogError::SlugTaken,
        CatalogError::CategorySlugTaken,
        CatalogError::SkuTaken,
        CatalogError::NotYourProduct,
        CatalogError::ProductVersionMismatch,
        CatalogError::InvalidCursor,
    ]
}
