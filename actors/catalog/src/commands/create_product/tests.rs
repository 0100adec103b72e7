use subjects::Currency;

use super::*;

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::USD)
}

fn shirt() -> NewProduct {
    NewProduct {
        name: " Linen Shirt ".into(),
        description: None,
        slug: None,
        category_id: None,
        sku: None,
        price: usd(4999),
        attributes: None,
        variants: None,
        on_hand: None,
        compare_price: None,
        cost_price: None,
        is_active: None,
        is_featured: None,
    }
}

fn size(sku: &str) -> NewVariant {
    NewVariant { sku: sku.into(), name: None, price: None, attributes: None, on_hand: None }
}

fn made(new: &NewProduct) -> Plan {
    plan(new, Uuid::now_v7(), Utc::now()).unwrap()
}

fn wrong(new: &NewProduct) -> Vec<String> {
    match plan(new, Uuid::now_v7(), Utc::now()) {
        Err(CatalogError::InvalidProduct { fields }) => fields.into_iter().map(|wrong| wrong.field).collect(),
        other => panic!("must be rejected: {other:?}"),
    }
}

#[test]
fn a_plain_product_gets_a_default_variant() {
    let plan = made(&NewProduct { on_hand: Some(7), ..shirt() });
    assert_eq!((plan.row.slug.as_str(), plan.row.name.as_str()), ("linen-shirt", "Linen Shirt"));
    let [variant] = plan.variants.as_slice() else { panic!("one variant") };
    assert_eq!((variant.sku.as_str(), variant.name.as_str(), variant.price), ("LINEN-SHIRT", "Linen Shirt", 4999));
    assert_eq!(variant.available, 7);
    assert_eq!(made(&NewProduct { variants: Some(vec![]), ..shirt() }).variants.len(), 1);
}

#[test]
fn the_price_of_a_product_is_that_of_its_first_variant() {
    let large = NewVariant { price: Some(usd(5999)), name: Some("Large".into()), on_hand: Some(3), ..size("L") };
    let plan = made(&NewProduct { variants: Some(vec![large, size("S")]), ..shirt() });
    assert_eq!(plan.row.price, 5999);
    assert_eq!(plan.variants.iter().map(|v| v.price).collect::<Vec<_>>(), [5999, 4999]);
    let event = plan.event();
    let facts: Vec<_> = event.variants.iter().map(|fact| (fact.name.as_str(), fact.on_hand)).collect();
    assert_eq!(facts, [("Linen Shirt – Large", Some(3)), ("Linen Shirt", Some(0))]);
}

#[test]
fn all_variants_share_a_currency_and_no_sku() {
    let euro = NewVariant { price: Some(Money::new(1, Currency::EUR)), ..size("L") };
    let new = NewProduct { variants: Some(vec![size("L"), euro]), ..shirt() };
    assert_eq!(wrong(&new), ["variants[1].sku", "variants[1].price.currency"]);
}

#[test]
fn stock_and_sku_stand_where_they_belong() {
    let new = NewProduct { variants: Some(vec![size("L")]), sku: Some("A".into()), on_hand: Some(1), ..shirt() };
    assert_eq!(wrong(&new), ["sku", "on_hand"]);
}

#[test]
fn wrong_fields_are_all_named() {
    let bad = NewVariant { on_hand: Some(-1), price: Some(usd(0)), ..size("A B") };
    let new = NewProduct {
        name: String::new(),
        slug: Some("No Slug".into()),
        description: Some("\0".into()),
        price: usd(-1),
        cost_price: Some(usd(-1)),
        variants: Some(vec![bad]),
        ..shirt()
    };
    assert_eq!(
        wrong(&new),
        [
            "name",
            "description",
            "slug",
            "price.amount",
            "cost_price.amount",
            "variants[0].sku",
            "variants[0].price.amount",
            "variants[0].on_hand"
        ]
    );
    let many = (0..101).map(|n| size(&format!("A{n}"))).collect();
    assert_eq!(wrong(&NewProduct { variants: Some(many), ..shirt() }), ["variants"]);
}

#[test]
fn what_we_chose_ourselves_keeps_out_of_the_way() {
    let mut plan = made(&shirt());
    plan.avoid(&Taken { slug: true, skus: vec!["LINEN-SHIRT".into()] }).unwrap();
    let suffix = slug::suffix_of(plan.row.id);
    assert_eq!(plan.row.slug, format!("linen-shirt-{suffix}"));
    assert_eq!(plan.variants[0].sku, format!("LINEN-SHIRT-{}", suffix.to_uppercase()));
    assert!(slug::is_slug(&plan.row.slug));

    let long = made(&NewProduct { name: "very long ".repeat(20), ..shirt() });
    assert!(long.variants[0].sku.len() <= 55);
}

#[test]
fn a_chosen_slug_or_sku_that_is_taken_is_rejected() {
    let slug_taken = Taken { slug: true, skus: vec![] };
    let mut plan = made(&NewProduct { slug: Some("linen".into()), ..shirt() });
    assert_eq!(plan.avoid(&slug_taken), Err(CatalogError::SlugTaken));
    let sku_taken = Taken { slug: false, skus: vec!["A".into()] };
    let mut plan = made(&NewProduct { sku: Some("A".into()), ..shirt() });
    assert_eq!(plan.avoid(&sku_taken), Err(CatalogError::SkuTaken));
    // Chosen SKUs stay, even if the generated slug gets a suffix.
    plan.avoid(&slug_taken).unwrap();
    assert_eq!(plan.variants[0].sku, "A");
}
