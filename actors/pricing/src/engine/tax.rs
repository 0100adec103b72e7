//! Tax: the rates of an address, by tax category.
//!
//! The lines of a category are taxed as a whole, so that an amount is rounded once per rate and not once per line. All
//! rates that match apply to the same net amount, none to the tax of another. Where prices contain tax, the net amount
//! is what is left without it: `gross / (1 + sum of the inclusive rates)`; the contained tax is divided among its rates
//! by [`divide`]. Tax that is not contained is added to the total, each rate rounded by itself.

use std::collections::BTreeMap;

use subjects::{
    Money,
    pricing::{ONE, QuoteRequest, SHIPPING, STANDARD, TaxLine, TaxRate, Zone},
};

use super::rounding::{divide, part};

/// The tax of a request.
#[derive(Default)]
pub(super) struct Taxed<'a> {
    pub lines: Vec<TaxLine>,
    /// The rate of each tax line.
    pub rates: Vec<&'a TaxRate>,
    /// The tax that is added to the total.
    pub added: i64,
}

/// Computes the tax of lines with these prices after discounts, and of the shipping charge.
pub(super) fn compute<'a>(rates: &'a [TaxRate], request: &QuoteRequest, prices: &[i64], charge: i64) -> Taxed<'a> {
    let mut taxed = Taxed::default();
    let Some(address) = &request.address else { return taxed };
    let mut rates: Vec<&TaxRate> = rates.iter().filter(|rate| applies(rate, address)).collect();
    rates.sort_by_key(|rate| rate.id);
    let mut amounts: BTreeMap<&str, i64> = BTreeMap::new();
    for (line, price) in request.lines.iter().zip(prices) {
        *amounts.entry(line.tax_category.as_deref().unwrap_or(STANDARD)).or_default() += price;
    }
    *amounts.entry(SHIPPING).or_default() += charge;
    for (category, amount) in amounts.into_iter().filter(|(_, amount)| *amount > 0) {
        let of_category: Vec<&TaxRate> = rates.iter().copied().filter(|rate| rate.tax_category == category).collect();
        taxed.add(&of_category, amount, request);
    }
    taxed
}

fn applies(rate: &TaxRate, address: &Zone) -> bool {
    let is_in_state = |state: &String| address.state.as_deref().is_some_and(|other| normal_state(other) == *state);
    rate.country == address.country && rate.state.as_ref().is_none_or(is_in_state)
}

/// The form in which states are stored and compared.
pub(crate) fn normal_state(state: &str) -> String {
    contract::text::compatible(state).to_uppercase()
}

impl<'a> Taxed<'a> {
    fn add(&mut self, rates: &[&'a TaxRate], amount: i64, request: &QuoteRequest) {
        let inclusive: Vec<i64> = rates.iter().map(|rate| if rate.inclusive { rate.rate } else { 0 }).collect();
        let sum: i64 = inclusive.iter().sum();
        let net = part(amount, ONE, ONE + sum);
        let contained = divide(amount - net, &inclusive);
        for (rate, contained) in rates.iter().zip(contained) {
            let tax = if rate.inclusive { contained } else { part(net, rate.rate, ONE) };
            if !rate.inclusive {
                self.added = self.added.saturating_add(tax);
            }
            self.lines.push(TaxLine {
                name: rate.name.clone(),
                rate: rate.rate,
                inclusive: rate.inclusive,
                base: Money::new(net, request.currency),
                amount: Money::new(tax, request.currency),
            });
            self.rates.push(*rate);
        }
    }
}
