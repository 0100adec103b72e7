//! The engine: a pure function from lines and rules to a quote.
//!
//! In this order, each step on what the one before it left:
//!
//! 1. The subtotal is the sum of the lines.
//! 2. Promotions, one after the other, reduce lines or make shipping free.
//! 3. The chosen shipping method is priced for the reduced lines.
//! 4. The reduced lines and the shipping charge are taxed, each tax category as a whole.

mod promotions;
mod rounding;
mod shipping;
mod tax;

use chrono::{DateTime, Utc};
use subjects::{
    Money,
    pricing::{
        Estimate, LineShare, PricingError, Problem, ProblemCode, Promotion, Quote, QuoteRequest, RuleKind, RuleVersion,
        ShippingZone, TaxRate,
    },
};

pub(crate) use promotions::normal_code;
pub(crate) use tax::normal_state;

/// The rules of one moment. Those that do not concern a request are ignored.
#[derive(Debug, Clone)]
pub struct Rules {
    pub at: DateTime<Utc>,
    pub tax_rates: Vec<TaxRate>,
    pub zones: Vec<ShippingZone>,
    pub promotions: Vec<Promotion>,
}

/// A problem without a coupon.
fn problem(code: ProblemCode) -> Problem {
    Problem { code, coupon: None }
}

/// The price of each line, if all are in one currency and their sum can be charged.
fn prices(request: &QuoteRequest) -> Option<Vec<i64>> {
    let mut sum = Money::zero(request.currency);
    let mut prices = Vec::with_capacity(request.lines.len());
    for line in &request.lines {
        if line.unit_price.amount < 0 || line.quantity < 0 {
            return None;
        }
        let price = line.unit_price.checked_mul(line.quantity).ok()?;
        sum = sum.checked_add(price).and_then(Money::accepted).ok()?;
        prices.push(price.amount);
    }
    Some(prices)
}

/// Computes a quote.
pub(crate) fn quote(rules: &Rules, request: &QuoteRequest) -> Result<Quote, PricingError> {
    let money = |amount| Money::new(amount, request.currency);
    let prices = prices(request).ok_or(PricingError::InvalidQuote)?;
    let subtotal: i64 = prices.iter().sum();
    let promoted = promotions::apply(rules, request, &prices);
    let goods: i64 = promoted.left.iter().sum();

    let shipped = shipping::choose(&rules.zones, request, goods, promoted.is_shipping_free);
    let charge = shipped.chosen.as_ref().map_or(0, |chosen| chosen.price.amount);
    let taxed = tax::compute(&rules.tax_rates, request, &promoted.left, charge);
    let tax = request.address.as_ref().map(|_| money(taxed.added));

    // Rates of 100 % at most: no sum of such amounts exceeds 64 bits.
    let total = money(goods.saturating_add(charge).saturating_add(taxed.added));
    let total = total.accepted().map_err(|_| PricingError::InvalidQuote)?;
    let mut rules_used = promoted.used;
    rules_used.extend(shipped.zone.map(|zone| version(RuleKind::ShippingZone, zone.id.0, zone.version)));
    rules_used.extend(taxed.rates.iter().map(|rate| version(RuleKind::TaxRate, rate.id.0, rate.version)));
    let mut problems = promoted.problems;
    problems.extend(shipped.problem.map(problem));
    let shares = promoted.left.iter().zip(&taxed.of_lines);
    Ok(Quote {
        lines: shares.map(|(price, tax)| LineShare { price: money(*price), tax: money(*tax) }).collect(),
        totals: Estimate {
            subtotal: money(subtotal),
            discount: money(subtotal - goods),
            shipping: money(charge),
            tax,
            total,
        },
        tax_lines: taxed.lines,
        discounts: promoted.discounts,
        shipping_options: shipped.options,
        shipping: shipped.chosen,
        rules: rules_used,
        problems,
    })
}

fn version(kind: RuleKind, id: uuid::Uuid, version: i64) -> RuleVersion {
    RuleVersion { kind, id, version }
}

#[cfg(test)]
mod tests;
