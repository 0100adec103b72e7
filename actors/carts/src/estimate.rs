//! The estimate of a cart's totals, by pricing.

use contract::CallError;
use runtime::{Context, InternalError};
use subjects::{
    carts::{Cart, CartItem, LineProblem},
    pricing::{GetQuotes, QuoteLine, QuoteRequest},
};

use crate::quotes::Quotes;

/// The lines that can be bought, for pricing. A cart has no address, shipping method or coupon yet.
fn request(cart: &Cart, quotes: &Quotes) -> QuoteRequest {
    let can_be_bought = |item: &&CartItem| !item.problem.is_some_and(LineProblem::prevents_purchase);
    let line = |item: &CartItem| QuoteLine {
        variant_id: item.variant_id,
        product_id: item.product_id,
        category_id: quotes.for_sale(item.variant_id.0).and_then(|offer| offer.category_id),
        quantity: item.quantity,
        unit_price: item.unit_price,
        weight: None,
        tax_category: None,
    };
    QuoteRequest {
        currency: cart.currency,
        lines: cart.items.iter().filter(can_be_bought).map(line).collect(),
        address: None,
        shipping_method: None,
        coupons: Vec::new(),
    }
}

/// The cart with the promotions that apply by themselves.
pub(crate) async fn estimated(cx: &Context, cart: Cart, quotes: &Quotes) -> Result<Cart, InternalError> {
    let request = request(&cart, quotes);
    if request.lines.is_empty() {
        return Ok(cart);
    }
    match cx.ask_together(GetQuotes { requests: vec![request] }).await {
        Ok(mut quoted) => {
            let quote = quoted.quotes.pop().ok_or_else(|| InternalError::other("a request without a quote"))?;
            Ok(Cart { totals: quote.totals, discounts: quote.discounts, ..cart })
        }
        // More than can be charged: the cart is still shown.
        Err(CallError::Rejected(_)) => Ok(cart),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basket::tests::{basket, quotes};

    #[test]
    fn lines_that_cannot_be_bought_are_not_priced() {
        let quotes = quotes(&[(1, 250, 7), (2, 100, 0)]);
        let request = request(&basket([1, 2]).show(&quotes).unwrap(), &quotes);
        let prices: Vec<_> = request.lines.iter().map(|line| line.unit_price.amount).collect();
        assert_eq!((prices, request.address), (vec![250], None));
    }
}
