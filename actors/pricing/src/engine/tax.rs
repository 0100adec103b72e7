//! Tax: the rates of an address, by tax category.
//!
//! The lines of a category are taxed as a whole, so that an amount is rounded once per rate and not once per line. All
//! rates that match apply to the same net amount, none to the tax of another. Where prices contain tax, the net amount
//! is what is left without it: `gross / (1 + sum of the inclusive rates)`; the contained tax is divided among its rates
//! by [`divide`]. Tax that is not contained is added to the total, each rate rounded by itself. The added tax of a
//! category is divided among its lines, and the shipping charge as the last of its category, by [`divide`].

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
    /// Its part of each line; the rest is that of the shipping charge.
    pub of_lines: Vec<i64>,
}

/// Computes the tax of lines with these prices after discounts, and of the shipping charge.
pub(super) fn compute<'a>(rates: &'a [TaxRate], request: &QuoteRequest, prices: &[i64], charge: i64) -> Taxed<'a> {
    let mut taxed = Taxed { of_lines: vec![0; prices.len()], ..Taxed::default() };
    let Some(address) = &request.address else { return taxed };
    let mut rates: Vec<&TaxRate> = rates.iter().filter(|rate| applies(rate, address)).collect();
    rates.sort_by_key(|rate| rate.id);
    let mut categories: BTreeMap<&str, Vec<usize>> = BTreeMap::from([(SHIPPING, Vec::new())]);
    for (place, line) in request.lines.iter().enumerate() {
        categories.entry(line.tax_category.as_deref().unwrap_or(STANDARD)).or_default().push(place);
    }
    for (category, places) in categories {
        let of_category: Vec<&TaxRate> = rates.iter().copied().filter(|rate| rate.tax_category == category).collect();
        let mut amounts: Vec<i64> = places.iter().map(|place| prices[*place]).collect();
        amounts.extend((category == SHIPPING).then_some(charge));
        let amount: i64 = amounts.iter().sum();
        if amount > 0 {
            let added = taxed.add(&of_category, amount, request);
            for (place, share) in places.into_iter().zip(divide(added, &amounts)) {
                taxed.of_lines[place] = share;
            }
        }
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
    /// Adds the tax of a category. Returns what it adds to the total.
    fn add(&mut self, rates: &[&'a TaxRate], amount: i64, request: &QuoteRequest) -> i64 {
        let mut added = 0_i64;
        let inclusive: Vec<i64> = rates.iter().map(|rate| if rate.inclusive { rate.rate } else { 0 }).collect();
        let sum: i64 = inclusive.iter().sum();
        let net = part(amount, ONE, ONE + sum);
        let contained = divide(amount - net, &inclusive);
        for (rate, contained) in rates.iter().zip(contained) {
            let tax = if rate.inclusive { contained } else { part(net, rate.rate, ONE) };
            if !rate.inclusive {
                added = added.saturating_add(tax);
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
        self.added = self.added.saturating_add(added);
        added
    }
}
