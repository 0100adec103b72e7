//! Examples that were computed by hand, and many random carts, recomputed by another program.

mod examples;
mod random;
mod reference;

use subjects::{
    Currency, Money, ProductId, VariantId,
    pricing::{ProblemCode, Quote, QuoteLine, QuoteRequest},
};
use uuid::Uuid;

fn line(product: u128, quantity: i64, unit_price: Money) -> QuoteLine {
    QuoteLine {
        variant_id: VariantId(Uuid::from_u128(product)),
        product_id: ProductId(Uuid::from_u128(product)),
        category_id: None,
        quantity,
        unit_price,
        weight: None,
        tax_category: None,
    }
}

fn request(currency: Currency, lines: Vec<QuoteLine>) -> QuoteRequest {
    QuoteRequest { currency, lines, address: None, shipping_method: None, coupons: Vec::new() }
}

/// The numbers of a quote.
#[derive(Debug, PartialEq, Eq)]
struct Numbers {
    subtotal: i64,
    discount: i64,
    shipping: i64,
    tax: Option<i64>,
    total: i64,
    /// Price after discounts, and tax.
    lines: Vec<(i64, i64)>,
    /// Name, base and amount.
    tax_lines: Vec<(String, i64, i64)>,
    /// Name and amount.
    discounts: Vec<(String, i64)>,
    /// Name and price.
    options: Vec<(String, i64)>,
    problems: Vec<ProblemCode>,
}

impl Numbers {
    fn of(quote: &Quote) -> Self {
        let totals = &quote.totals;
        let tax_line = |line: &subjects::pricing::TaxLine| (line.name.clone(), line.base.amount, line.amount.amount);
        let discounts = quote.discounts.iter().map(|discount| (discount.name.clone(), discount.amount.amount));
        let options = quote.shipping_options.iter().map(|option| (option.name.clone(), option.price.amount));
        Self {
            subtotal: totals.subtotal.amount,
            discount: totals.discount.amount,
            shipping: totals.shipping.amount,
            tax: totals.tax.map(|tax| tax.amount),
            total: totals.total.amount,
            lines: quote.lines.iter().map(|line| (line.price.amount, line.tax.amount)).collect(),
            tax_lines: quote.tax_lines.iter().map(tax_line).collect(),
            discounts: discounts.collect(),
            options: options.collect(),
            problems: quote.problems.iter().map(|problem| problem.code).collect(),
        }
    }
}
