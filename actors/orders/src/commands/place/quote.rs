//! The lines and prices of an order: catalog's current offers, in one query for all lines.

use std::collections::BTreeMap;

use contract::{Detail, DetailCode};
use subjects::{
    CartId, Money, MoneyError, VariantId, carts::Totals, catalog::Offer, inventory::Units, orders::OrdersError,
};

/// The cart an order is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartUse {
    pub cart_id: CartId,
    /// The cart's version when it was read.
    pub version: i64,
}

/// A line with its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub offer: Offer,
    pub quantity: i64,
    pub total: Money,
}

/// All lines with their prices. Fixed once quoted: later price changes in catalog apply to later orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The cart, if the lines are those of a cart.
    pub cart: Option<CartUse>,
    pub lines: Vec<Line>,
    pub totals: Totals,
}

/// Prices the lines. Rejects variants that are not for sale, or that cannot be ordered together.
pub(super) fn quote(cart: Option<CartUse>, units: &[Units], offers: Vec<Offer>) -> Result<Quote, OrdersError> {
    let mut offers: BTreeMap<VariantId, Offer> = offers.into_iter().map(|offer| (offer.variant_id, offer)).collect();
    let mut lines = Vec::with_capacity(units.len());
    let mut subtotal: Option<Money> = None;
    for (index, wanted) in units.iter().enumerate() {
        let offer = offers
            .remove(&wanted.variant_id)
            .filter(|offer| offer.is_active && offer.price.amount >= 0)
            .ok_or(OrdersError::NotForSale { variant_id: wanted.variant_id })?;
        let total = offer.price.checked_mul(wanted.quantity).map_err(|error| cannot_add(index, error))?;
        subtotal = Some(match subtotal {
            None => total,
            Some(sum) => sum.checked_add(total).map_err(|error| cannot_add(index, error))?,
        });
        subtotal.map(Money::accepted).transpose().map_err(|error| cannot_add(index, error))?;
        lines.push(Line { offer, quantity: wanted.quantity, total });
    }
    let totals = Totals::of_subtotal(subtotal.ok_or(OrdersError::CartEmpty)?);
    Ok(Quote { cart, lines, totals })
}

fn cannot_add(index: usize, error: MoneyError) -> OrdersError {
    let (field, code, message) = match error {
        MoneyError::CurrencyMismatch => {
            ("variant_id", DetailCode::Conflict, "all lines of an order must have the same currency")
        }
        MoneyError::Overflow | MoneyError::UnknownCurrency => ("quantity", DetailCode::Range, "the total is too large"),
    };
    OrdersError::InvalidOrder { fields: vec![Detail::new(format!("items[{index}].{field}"), code, message)] }
}

#[cfg(test)]
mod tests {
    use subjects::{Currency, ProductId, UserId};

    use super::*;

    fn offer(price: Money) -> Offer {
        Offer {
            variant_id: VariantId::new(),
            product_id: ProductId::new(),
            seller_id: UserId::new(),
            sku: "SKU".into(),
            name: "Thing".into(),
            price,
            is_active: true,
            version: 1,
        }
    }

    fn usd(amount: i64) -> Money {
        Money::new(amount, Currency::USD)
    }

    fn units(offer: &Offer, quantity: i64) -> Units {
        Units { variant_id: offer.variant_id, quantity }
    }

    #[test]
    fn lines_add_up_in_the_requested_order() {
        let (a, b) = (offer(usd(4999)), offer(usd(1)));
        let quote = quote(None, &[units(&b, 3), units(&a, 2)], vec![a, b.clone()]).unwrap();
        assert_eq!(quote.totals.total, usd(10_001));
        assert_eq!(quote.lines[0].offer, b);
        assert_eq!(quote.lines[1].total, usd(9998));
    }

    #[test]
    fn what_is_not_for_sale_is_named() {
        let unknown = VariantId::new();
        let requested = [Units { variant_id: unknown, quantity: 1 }];
        assert_eq!(quote(None, &requested, Vec::new()), Err(OrdersError::NotForSale { variant_id: unknown }));
        let inactive = Offer { is_active: false, ..offer(usd(1)) };
        let rejected = OrdersError::NotForSale { variant_id: inactive.variant_id };
        assert_eq!(quote(None, &[units(&inactive, 1)], vec![inactive]), Err(rejected));
    }

    #[test]
    fn excessive_sums_and_two_currencies_are_rejected() {
        let dear = offer(usd(i64::MAX));
        let error = quote(None, &[units(&dear, 2)], vec![dear]).unwrap_err();
        assert!(matches!(&error, OrdersError::InvalidOrder { fields } if fields[0].field == "items[0].quantity"));
        let (a, b) = (offer(usd(1)), offer(Money::new(1, Currency::EUR)));
        let error = quote(None, &[units(&a, 1), units(&b, 1)], vec![a, b]).unwrap_err();
        assert!(matches!(&error, OrdersError::InvalidOrder { fields } if fields[0].field == "items[1].variant_id"));
    }
}
