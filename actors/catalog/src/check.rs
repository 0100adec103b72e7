//! What products and categories may look like. A wrong field is named as the client sent it.

use contract::{Detail, DetailCode};
use subjects::{
    Currency, Money,
    catalog::{Attributes, CatalogError},
    inventory::MAX_ON_HAND,
};

use crate::slug::is_slug;

/// The highest price in minor units.
pub(crate) const MAX_PRICE: i64 = 1_000_000_000_000;

/// Collects what is wrong with which field.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<Detail>);

impl Fields {
    pub(crate) fn wrong(&mut self, detail: Detail) {
        self.0.push(detail);
    }

    /// A category that is not there.
    pub(crate) fn no_such_category(&mut self, field: &str) {
        self.wrong(Detail::new(field, DetailCode::NotFound, "there is no such category"));
    }

    /// Nothing, or everything that is wrong with a product.
    pub(crate) fn of_product(self) -> Result<(), CatalogError> {
        if self.0.is_empty() { Ok(()) } else { Err(CatalogError::InvalidProduct { fields: self.0 }) }
    }

    /// Nothing, or everything that is wrong with a category.
    pub(crate) fn of_category(self) -> Result<(), CatalogError> {
        if self.0.is_empty() { Ok(()) } else { Err(CatalogError::InvalidCategory { fields: self.0 }) }
    }

    /// A name: one line.
    pub(crate) fn check_name(&mut self, field: &str, text: &str) {
        if !(1..=200).contains(&text.trim().chars().count()) {
            self.wrong(Detail::length(field, 1, 200));
        }
        if text.chars().any(char::is_control) {
            self.wrong(Detail::characters(field, "control characters"));
        }
    }

    /// A description: lines.
    pub(crate) fn check_description(&mut self, text: &str) {
        if text.chars().count() > 20_000 {
            self.wrong(Detail::length("description", 0, 20_000));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.wrong(Detail::characters("description", "control characters other than line breaks and tabs"));
        }
    }

    /// A slug that the client chose.
    pub(crate) fn check_slug(&mut self, text: &str) {
        if !is_slug(text) {
            let message =
                "must have 1 to 120 of a-z, 0-9 and single hyphens between them, and must not look like an id";
            self.wrong(Detail::format("slug", "slug", message));
        }
    }

    /// A SKU: 1 to 64 printable characters without blanks.
    pub(crate) fn check_sku(&mut self, field: &str, text: &str) {
        if !(1..=64).contains(&text.chars().count()) {
            self.wrong(Detail::length(field, 1, 64));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            self.wrong(Detail::characters(field, "blanks or control characters"));
        }
    }

    /// Free properties.
    pub(crate) fn check_attributes(&mut self, field: &str, attributes: &Attributes) {
        if attributes.len() > 50 {
            self.wrong(Detail::count(field, 0, 50));
        }
        for (key, value) in attributes.iter().take(50) {
            let bad_key = !(1..=50).contains(&key.chars().count()) || key.chars().any(char::is_control);
            if bad_key {
                let message = "must have keys of 1 to 50 characters, none of them a control character";
                self.wrong(Detail::format(field, "keys", message));
            } else if value.chars().count() > 200 || value.chars().any(char::is_control) {
                let path = format!("{field}.{key}");
                let message = "must have at most 200 characters, none of them a control character";
                self.wrong(Detail::new(path, DetailCode::Length, message).with("max", 200));
            }
        }
    }

    /// A price of the product's currency.
    pub(crate) fn check_price(&mut self, field: &str, price: Money, currency: Currency, min: i64) {
        if !(min..=MAX_PRICE).contains(&price.amount) {
            self.wrong(Detail::range(format!("{field}.amount"), min, MAX_PRICE));
        }
        if price.currency != currency {
            let message = format!("must be {currency}, the product's currency");
            let detail = Detail::new(format!("{field}.currency"), DetailCode::OneOf, message);
            self.wrong(detail.with("allowed", vec![currency.code()]));
        }
    }

    /// Units on the shelf.
    pub(crate) fn check_on_hand(&mut self, field: &str, on_hand: Option<i64>) {
        if on_hand.is_some_and(|units| !(0..=MAX_ON_HAND).contains(&units)) {
            self.wrong(Detail::range(field, 0, MAX_ON_HAND));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(check: impl FnOnce(&mut Fields)) -> Vec<String> {
        let mut fields = Fields::default();
        check(&mut fields);
        fields.0.into_iter().map(|detail| detail.field).collect()
    }

    #[test]
    fn texts_are_bounded_and_hold_no_control_characters() {
        assert!(wrong(|f| f.check_name("name", "Linen Shirt")).is_empty());
        for name in ["", "   ", "a\0b", "a\nb", &"a".repeat(201)] {
            assert_eq!(wrong(|f| f.check_name("name", name)), ["name"], "{name:?}");
        }
        assert!(wrong(|f| f.check_description("two\nlines")).is_empty());
        assert_eq!(wrong(|f| f.check_description("\0")), ["description"]);
        assert_eq!(wrong(|f| f.check_description(&"a".repeat(20_001))), ["description"]);
        assert!(wrong(|f| f.check_sku("sku", "LINEN/S_1.2")).is_empty());
        assert_eq!(wrong(|f| f.check_sku("variants[0].sku", "A B")), ["variants[0].sku"]);
    }

    #[test]
    fn prices_are_positive_and_of_one_currency() {
        let check =
            |amount, currency| wrong(|f| f.check_price("price", Money::new(amount, currency), Currency::USD, 1));
        assert!(check(1, Currency::USD).is_empty());
        assert!(check(MAX_PRICE, Currency::USD).is_empty());
        assert_eq!(check(0, Currency::USD), ["price.amount"]);
        assert_eq!(check(MAX_PRICE + 1, Currency::EUR), ["price.amount", "price.currency"]);
    }

    #[test]
    fn attributes_are_bounded() {
        let check = |attributes: &Attributes| wrong(|f| f.check_attributes("attributes", attributes));
        assert!(check(&Attributes::from([("colour".into(), "blue".into())])).is_empty());
        assert_eq!(check(&Attributes::from([("colour".into(), "a".repeat(201))])), ["attributes.colour"]);
        assert_eq!(check(&Attributes::from([("\0".into(), "a".into())])), ["attributes"]);
        assert_eq!(check(&(0..51).map(|n| (n.to_string(), String::new())).collect()), ["attributes"]);
    }
}
