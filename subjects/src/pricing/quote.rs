//! Quotes: the totals of lines by the current rules, for other domains.

use contract::{Access, Coalesce, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};
use uuid::Uuid;

use super::{DOMAIN, PricingError};
use crate::{CategoryId, Currency, Money, ProductId, PromotionId, ShippingMethodId, VariantId, labels};

/// A line to be priced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteLine {
    pub variant_id: VariantId,
    pub product_id: ProductId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    pub quantity: i64,
    pub unit_price: Money,
    /// Of a unit, in grams; nothing if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// `standard` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_category: Option<String>,
}

/// The part of an address that tax and shipping depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    pub country: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The lines of one cart or order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRequest {
    pub currency: Currency,
    pub lines: Vec<QuoteLine>,
    /// Without one the tax is unknown and there are no shipping options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Zone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_method: Option<ShippingMethodId>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub coupons: Vec<String>,
}

/// Returns the totals of several carts or orders, all by the rules of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetQuotes {
    pub requests: Vec<QuoteRequest>,
}
query!(GetQuotes, DOMAIN, "quote", Access::Internal => Quotes, PricingError);

/// Quotes, in the order of the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotes {
    pub quotes: Vec<Quote>,
}

/// Totals, of which the tax may not be known yet. `total = subtotal - discount + shipping + tax`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Estimate {
    pub subtotal: Money,
    pub discount: Money,
    pub shipping: Money,
    /// The tax that is added. Tax that the prices contain is in the tax lines only. Null until an address is known.
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub tax: Option<Money>,
    pub total: Money,
}

impl Estimate {
    /// The totals of a subtotal, with nothing else known.
    pub fn of_subtotal(subtotal: Money) -> Self {
        let zero = Money::zero(subtotal.currency);
        Self { subtotal, discount: zero, shipping: zero, tax: None, total: subtotal }
    }
}

/// The tax by one rate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct TaxLine {
    pub name: String,
    /// Millionths: 190000 is 19 %.
    pub rate: i64,
    /// Whether the prices contain it.
    pub inclusive: bool,
    /// The net amount that is taxed.
    pub base: Money,
    pub amount: Money,
}

/// What a promotion gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Discount {
    pub promotion_id: PromotionId,
    pub name: String,
    /// The coupon that it needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub code: Option<String>,
    /// Its part of the discount.
    pub amount: Money,
    /// Whether it makes shipping free.
    pub free_shipping: bool,
}

/// A shipping method that can be chosen, with its price for these lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ShippingOption {
    pub id: ShippingMethodId,
    pub name: String,
    pub price: Money,
}

labels! {
    /// The kind of a rule.
    #[derive(PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub RuleKind {
        TaxRate = "tax_rate",
        ShippingZone = "shipping_zone",
        Promotion = "promotion",
    }
}

/// A rule that a quote is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVersion {
    pub kind: RuleKind,
    pub id: Uuid,
    pub version: i64,
}

labels! {
    /// Why a quote is not what was requested.
    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum), oai(rename_all = "snake_case"))]
    #[serde(rename_all = "snake_case")]
    pub ProblemCode {
        /// There is no promotion with this code now.
        UnknownCoupon = "unknown_coupon",
        /// The conditions of the coupon's promotion are not met, or another promotion excludes it.
        CouponNotApplicable = "coupon_not_applicable",
        /// The address has shipping methods, and none was chosen.
        ShippingMethodRequired = "shipping_method_required",
        /// The chosen shipping method is not available for the address and the currency.
        ShippingMethodUnavailable = "shipping_method_unavailable",
        /// No shipping method of the address is available in the currency.
        ShippingUnavailable = "shipping_unavailable",
    }
}

/// A problem of a quote. Its totals are without the coupon or the shipping method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Problem {
    pub code: ProblemCode,
    /// The coupon, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub coupon: Option<String>,
}

/// A line's part of the totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineShare {
    /// Its price after discounts.
    pub price: Money,
    /// Its part of the tax that is added.
    pub tax: Money,
}

/// The totals of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub totals: Estimate,
    /// In the order of the lines. Their prices sum to the subtotal less the discount.
    pub lines: Vec<LineShare>,
    pub tax_lines: Vec<TaxLine>,
    /// In the order in which they apply. Their amounts sum to the discount.
    pub discounts: Vec<Discount>,
    /// The shipping methods of the address.
    pub shipping_options: Vec<ShippingOption>,
    /// The chosen one, if it is available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<ShippingOption>,
    pub rules: Vec<RuleVersion>,
    pub problems: Vec<Problem>,
}

impl Coalesce for GetQuotes {
    const MAX_KEYS: usize = 500;

    fn keys(&self) -> usize {
        self.requests.iter().map(|request| request.lines.len() + 1).sum()
    }

    fn merge(queries: &[&Self]) -> Self {
        Self { requests: queries.iter().flat_map(|query| &query.requests).cloned().collect() }
    }

    fn split(queries: &[&Self], Quotes { quotes }: Quotes) -> Vec<Quotes> {
        let mut quotes = quotes.into_iter();
        queries.iter().map(|query| Quotes { quotes: quotes.by_ref().take(query.requests.len()).collect() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: usize, price: i64) -> QuoteRequest {
        let line = QuoteLine {
            variant_id: VariantId(Uuid::nil()),
            product_id: ProductId(Uuid::nil()),
            category_id: None,
            quantity: 1,
            unit_price: Money::new(price, Currency::USD),
            weight: None,
            tax_category: None,
        };
        let (address, shipping_method, coupons) = (None, None, Vec::new());
        QuoteRequest { currency: Currency::USD, lines: vec![line; lines], address, shipping_method, coupons }
    }

    fn quote(subtotal: i64) -> Quote {
        let (subtotal, zero) = (Money::new(subtotal, Currency::USD), Money::zero(Currency::USD));
        Quote {
            totals: Estimate { subtotal, discount: zero, shipping: zero, tax: None, total: subtotal },
            lines: Vec::new(),
            tax_lines: Vec::new(),
            discounts: Vec::new(),
            shipping_options: Vec::new(),
            shipping: None,
            rules: Vec::new(),
            problems: Vec::new(),
        }
    }

    #[test]
    fn requests_travel_together_and_each_gets_its_own_quotes() {
        let queries = [vec![request(2, 1)], Vec::new(), vec![request(1, 3), request(3, 4)]];
        let queries = queries.map(|requests| GetQuotes { requests });
        let queries: Vec<&GetQuotes> = queries.iter().collect();
        assert_eq!(queries.iter().map(|query| query.keys()).collect::<Vec<_>>(), [3, 0, 6]);
        assert_eq!(GetQuotes::merge(&queries).requests, [request(2, 1), request(1, 3), request(3, 4)]);
        let parts = GetQuotes::split(&queries, Quotes { quotes: vec![quote(2), quote(3), quote(12)] });
        let subtotals = |part: &Quotes| part.quotes.iter().map(|quote| quote.totals.subtotal.amount).collect();
        let subtotals: Vec<Vec<i64>> = parts.iter().map(subtotals).collect();
        assert_eq!(subtotals, [vec![2], vec![], vec![3, 12]]);
    }
}
