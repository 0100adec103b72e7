//! Validation of products and categories. Errors name fields as the client sent them.

use contract::{Detail, DetailCode, Fields, LineBreaks, text::compatible};
use subjects::{
    Currency, Money,
    catalog::{Attributes, CatalogError},
    inventory::MAX_ON_HAND,
};

use crate::slug::is_slug;

/// The highest price in minor units.
pub(crate) const MAX_PRICE: i64 = 1_000_000_000_000;

/// Returns all invalid fields of a product as one error.
pub(crate) fn of_product(fields: Fields) -> Result<(), CatalogError> {
    fields.finish().map_err(|fields| CatalogError::InvalidProduct { fields })
}

/// Returns all invalid fields of a category as one error.
pub(crate) fn of_category(fields: Fields) -> Result<(), CatalogError> {
    fields.finish().map_err(|fields| CatalogError::InvalidCategory { fields })
}

/// The error for a category that does not exist.
pub(crate) fn no_such_category(field: &str) -> Vec<Detail> {
    vec![Detail::new(field, DetailCode::NotFound, "there is no such category")]
}

/// Checks a name: a single line.
pub(crate) fn name(fields: &mut Fields, field: &str, text: &str) {
    fields.text(field, text, 1..=200, LineBreaks::Forbidden);
}

/// Checks a description: line breaks are allowed.
pub(crate) fn description(fields: &mut Fields, text: &str) {
    fields.text("description", text, 0..=20_000, LineBreaks::Allowed);
}

/// Checks a slug chosen by the client.
pub(crate) fn slug(fields: &mut Fields, text: &str) {
    if !is_slug(text) {
        let message = "must have 1 to 120 of a-z, 0-9 and single hyphens between them, and must not look like an id";
        fields.wrong(Detail::format("slug", "slug", message));
    }
}

/// Checks a SKU: 1 to 64 printable characters without blanks, in the stored form, which may be longer than the sent
/// one.
pub(crate) fn sku(fields: &mut Fields, field: &str, text: &str) {
    let text = compatible(text);
    fields.text(field, &text, 1..=64, LineBreaks::Forbidden);
    if text.chars().any(char::is_whitespace) {
        fields.wrong(Detail::characters(field, "blanks"));
    }
}

/// Checks custom attributes.
pub(crate) fn attributes(fields: &mut Fields, field: &str, attributes: &Attributes) {
    if attributes.len() > 50 {
        fields.wrong(Detail::count(field, 0, 50));
    }
    for (key, value) in attributes.iter().take(50) {
        let bad_key = !(1..=50).contains(&key.chars().count()) || key.chars().any(char::is_control);
        if bad_key {
            let message = "must have keys of 1 to 50 characters, none of them a control character";
            fields.wrong(Detail::format(field, "keys", message));
        } else {
            fields.text(&format!("{field}.{key}"), value, 0..=200, LineBreaks::Forbidden);
        }
    }
}

/// Checks a price, which must be in the product's currency.
pub(crate) fn price(fields: &mut Fields, field: &str, price: Money, currency: Currency, min: i64) {
    fields.range(&format!("{field}.amount"), price.amount, min..=MAX_PRICE);
    if price.currency != currency {
        let message = format!("must be {currency}, the product's currency");
        let detail = Detail::new(format!("{field}.currency"), DetailCode::OneOf, message);
        fields.wrong(detail.with("allowed", vec![currency.code()]));
    }
}

/// Checks the price that a product had before, or has elsewhere: it must exceed the product's own.
pub(crate) fn compare_price(fields: &mut Fields, compare_price: Money, price: Money) {
    if compare_price.currency == price.currency && compare_price.amount <= price.amount {
        let message = format!("must be above the price, {}", price.amount);
        fields.wrong(
            Detail::new("compare_price.amount", DetailCode::Range, message).with("min", price.amount.saturating_add(1)),
        );
    }
}

/// Checks the units in stock.
pub(crate) fn on_hand(fields: &mut Fields, field: &str, on_hand: Option<i64>) {
    if let Some(units) = on_hand {
        fields.range(field, units, 0..=MAX_ON_HAND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(check: impl FnOnce(&mut Fields)) -> Vec<String> {
        let mut fields = Fields::default();
        check(&mut fields);
        fields.finish().err().unwrap_or_default().into_iter().map(|detail| detail.field).collect()
    }

    #[test]
    fn texts_are_bounded() {
        assert!(wrong(|f| name(f, "name", "Linen Shirt")).is_empty());
        assert_eq!(wrong(|f| name(f, "name", &"a".repeat(201))), ["name"]);
        assert!(wrong(|f| description(f, "two\nlines")).is_empty());
        assert_eq!(wrong(|f| description(f, &"a".repeat(20_001))), ["description"]);
        assert!(wrong(|f| sku(f, "sku", "LINEN/S_1.2")).is_empty());
        assert_eq!(wrong(|f| sku(f, "variants[0].sku", "A B")), ["variants[0].sku"]);
        // One character whose stored form has eighteen, and one whose stored form has a blank.
        assert_eq!(wrong(|f| sku(f, "sku", &"\u{fdfa}".repeat(4))), ["sku", "sku"]);
        assert_eq!(wrong(|f| sku(f, "sku", "A\u{a8}B")), ["sku"]);
    }

    #[test]
    fn prices_are_positive_and_of_one_currency() {
        let check = |amount, currency| wrong(|f| price(f, "price", Money::new(amount, currency), Currency::USD, 1));
        assert!(check(1, Currency::USD).is_empty());
        assert!(check(MAX_PRICE, Currency::USD).is_empty());
        assert_eq!(check(0, Currency::USD), ["price.amount"]);
        assert_eq!(check(MAX_PRICE + 1, Currency::EUR), ["price.amount", "price.currency"]);
    }

    #[test]
    fn a_price_to_compare_with_is_higher() {
        let usd = |amount| Money::new(amount, Currency::USD);
        assert!(wrong(|f| compare_price(f, usd(101), usd(100))).is_empty());
        assert_eq!(wrong(|f| compare_price(f, usd(100), usd(100))), ["compare_price.amount"]);
    }

    #[test]
    fn attributes_are_bounded() {
        let check = |given: &Attributes| wrong(|f| attributes(f, "attributes", given));
        assert!(check(&Attributes::from([("colour".into(), "blue".into())])).is_empty());
        assert_eq!(check(&Attributes::from([("colour".into(), "a".repeat(201))])), ["attributes.colour"]);
        assert_eq!(check(&Attributes::from([("\0".into(), "a".into())])), ["attributes"]);
        assert_eq!(check(&(0..51).map(|n| (n.to_string(), String::new())).collect()), ["attributes"]);
    }
}
