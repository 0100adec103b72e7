//! The lines and totals of an order: catalog's current offers and pricing's quote, each in one query for all lines.

use std::collections::BTreeMap;

use contract::{Detail, DetailCode};
use subjects::{
    CartId, Currency, Money, MoneyError, VariantId,
    carts::Totals,
    catalog::Offer,
    inventory::Units,
    orders::{NewOrder, OrdersError},
    pricing::{self, Discount, ProblemCode, QuoteLine, QuoteRequest, RuleVersion, ShippingOption, TaxLine, Zone},
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
    /// What the buyer pays for it: its price after discounts with the tax that is added to it.
    pub paid: i64,
}

/// All lines with their prices, before their totals are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The cart, if the lines are those of a cart.
    cart: Option<CartUse>,
    currency: Currency,
    lines: Vec<Line>,
}

/// All lines with their prices and totals. Fixed once quoted: later changes of prices and rules apply to later orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The cart, if the lines are those of a cart.
    pub cart: Option<CartUse>,
    pub lines: Vec<Line>,
    pub totals: Totals,
    pub tax_lines: Vec<TaxLine>,
    pub discounts: Vec<Discount>,
    pub shipping_method: Option<ShippingOption>,
    pub rules: Vec<RuleVersion>,
}

/// Prices the lines. Rejects variants that are not for sale, or that cannot be ordered together.
pub(super) fn price(cart: Option<CartUse>, units: &[Units], offers: Vec<Offer>) -> Result<Priced, OrdersError> {
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
        lines.push(Line { offer, quantity: wanted.quantity, total, paid: total.amount });
    }
    let currency = subtotal.ok_or(OrdersError::CartEmpty)?.currency;
    Ok(Priced { cart, currency, lines })
}

/// What pricing needs to know of the order.
pub(super) fn request(priced: &Priced, order: &NewOrder) -> QuoteRequest {
    let line = |line: &Line| QuoteLine {
        variant_id: line.offer.variant_id,
        product_id: line.offer.product_id,
        category_id: line.offer.category_id,
        quantity: line.quantity,
        unit_price: line.offer.price,
        weight: None,
        tax_category: None,
    };
    let address = &order.shipping_address;
    QuoteRequest {
        currency: priced.currency,
        lines: priced.lines.iter().map(line).collect(),
        address: Some(Zone { country: address.country.clone(), state: address.state.clone() }),
        shipping_method: order.shipping_method,
        coupons: order.coupon.iter().cloned().collect(),
    }
}

/// The lines with their totals. Rejects a coupon or a shipping method that does not apply.
pub(super) fn quote(priced: Priced, quoted: pricing::Quote) -> Result<Quote, OrdersError> {
    if let Some(problem) = quoted.problems.into_iter().next() {
        let coupon = problem.coupon.unwrap_or_default();
        return Err(match problem.code {
            ProblemCode::UnknownCoupon => OrdersError::UnknownCoupon { coupon },
            ProblemCode::CouponNotApplicable => OrdersError::CouponNotApplicable { coupon },
            ProblemCode::ShippingMethodRequired => OrdersError::ShippingMethodRequired,
            ProblemCode::ShippingMethodUnavailable => OrdersError::ShippingMethodUnavailable,
            ProblemCode::ShippingUnavailable => OrdersError::ShippingUnavailable,
        });
    }
    let Priced { cart, currency, mut lines } = priced;
    for (line, share) in lines.iter_mut().zip(quoted.lines) {
        line.paid = share.price.amount.saturating_add(share.tax.amount);
    }
    let pricing::Estimate { subtotal, discount, shipping, tax, total } = quoted.totals;
    let tax = tax.unwrap_or(Money::zero(currency));
    Ok(Quote {
        cart,
        lines,
        totals: Totals { subtotal, discount, shipping, tax, total },
        tax_lines: quoted.tax_lines,
        discounts: quoted.discounts,
        shipping_method: quoted.shipping,
        rules: quoted.rules,
    })
}

/// The error for lines whose total, with tax and shipping, cannot be charged.
pub(super) fn too_large() -> OrdersError {
    let detail = Detail::new("items", DetailCode::Range, "the total is too large");
    OrdersError::InvalidOrder { fields: vec![detail] }
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
    use subjects::{ProductId, UserId};

    use super::*;

    fn offer(price: Money) -> Offer {
        Offer {
            variant_id: VariantId::new(),
            product_id: ProductId::new(),
            category_id: None,
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
        let priced = price(None, &[units(&b, 3), units(&a, 2)], vec![a, b.clone()]).unwrap();
        assert_eq!(priced.lines[0].offer, b);
        assert_eq!((priced.lines[0].total, priced.lines[1].total), (usd(3), usd(9998)));
    }

    fn quoted(problem: Option<ProblemCode>) -> pricing::Quote {
        let share = pricing::LineShare { price: usd(90), tax: usd(9) };
        let (subtotal, discount, shipping, tax, total) = (usd(100), usd(10), usd(5), Some(usd(10)), usd(105));
        pricing::Quote {
            totals: pricing::Estimate { subtotal, discount, shipping, tax, total },
            lines: vec![share],
            tax_lines: Vec::new(),
            discounts: Vec::new(),
            shipping_options: Vec::new(),
            shipping: None,
            rules: Vec::new(),
            problems: problem.map(|code| pricing::Problem { code, coupon: Some("TEN".into()) }).into_iter().collect(),
        }
    }

    #[test]
    fn the_totals_are_those_of_pricing_and_its_problems_reject_the_order() {
        let offer = offer(usd(100));
        let priced = price(None, &[units(&offer, 1)], vec![offer]).unwrap();
        let quoted_order = quote(priced.clone(), quoted(None)).unwrap();
        assert_eq!((quoted_order.totals.total, quoted_order.lines[0].paid), (usd(105), 99));
        let coupon = || "TEN".to_owned();
        for (code, error) in [
            (ProblemCode::UnknownCoupon, OrdersError::UnknownCoupon { coupon: coupon() }),
            (ProblemCode::CouponNotApplicable, OrdersError::CouponNotApplicable { coupon: coupon() }),
            (ProblemCode::ShippingMethodRequired, OrdersError::ShippingMethodRequired),
            (ProblemCode::ShippingMethodUnavailable, OrdersError::ShippingMethodUnavailable),
            (ProblemCode::ShippingUnavailable, OrdersError::ShippingUnavailable),
        ] {
            assert_eq!(quote(priced.clone(), quoted(Some(code))), Err(error));
        }
    }

    #[test]
    fn what_is_not_for_sale_is_named() {
        let unknown = VariantId::new();
        let requested = [Units { variant_id: unknown, quantity: 1 }];
        assert_eq!(price(None, &requested, Vec::new()), Err(OrdersError::NotForSale { variant_id: unknown }));
        let inactive = Offer { is_active: false, ..offer(usd(1)) };
        let rejected = OrdersError::NotForSale { variant_id: inactive.variant_id };
        assert_eq!(price(None, &[units(&inactive, 1)], vec![inactive]), Err(rejected));
    }

    #[test]
    fn excessive_sums_and_two_currencies_are_rejected() {
        let dear = offer(usd(i64::MAX));
        let error = price(None, &[units(&dear, 2)], vec![dear]).unwrap_err();
        assert!(matches!(&error, OrdersError::InvalidOrder { fields } if fields[0].field == "items[0].quantity"));
        let (a, b) = (offer(usd(1)), offer(Money::new(1, Currency::EUR)));
        let error = price(None, &[units(&a, 1), units(&b, 1)], vec![a, b]).unwrap_err();
        assert!(matches!(&error, OrdersError::InvalidOrder { fields } if fields[0].field == "items[1].variant_id"));
    }
}
