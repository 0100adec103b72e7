//! Shipping: the methods of an address and their prices.
//!
//! A country in no zone has no methods, and shipping to it costs nothing: which countries a shop ships to is a setting
//! of the shop. In a zone one of its methods must be chosen.

use subjects::{
    Currency, Money,
    pricing::{ProblemCode, QuoteRequest, ShippingKind, ShippingMethod, ShippingOption, ShippingRate, ShippingZone},
};

/// The methods of an address, and the one that was chosen.
#[derive(Default)]
pub(super) struct Shipped<'a> {
    pub options: Vec<ShippingOption>,
    pub chosen: Option<ShippingOption>,
    /// The zone of the chosen method.
    pub zone: Option<&'a ShippingZone>,
    pub problem: Option<ProblemCode>,
}

/// Prices the methods of the address for goods of this price after discounts.
pub(super) fn choose<'a>(zones: &'a [ShippingZone], request: &QuoteRequest, goods: i64, is_free: bool) -> Shipped<'a> {
    let Some(address) = &request.address else { return Shipped::default() };
    let mut shipped = Shipped::default();
    let weight = request
        .lines
        .iter()
        .fold(0_i64, |sum, line| sum.saturating_add(line.weight.unwrap_or(0).max(0).saturating_mul(line.quantity)));
    let mut zones: Vec<&ShippingZone> = zones.iter().filter(|zone| zone.countries.contains(&address.country)).collect();
    zones.sort_by_key(|zone| zone.id);
    for zone in &zones {
        for method in &zone.methods {
            let Some(rate) = rate_in(method, request.currency) else { continue };
            let price = if is_free { 0 } else { price(method.kind, rate, goods, weight) };
            let price = Money::new(price, request.currency);
            let option = ShippingOption { id: method.id, name: method.name.clone(), price };
            if request.shipping_method == Some(method.id) {
                shipped.chosen = Some(option.clone());
                shipped.zone = Some(zone);
            }
            shipped.options.push(option);
        }
    }
    let has_methods = zones.iter().any(|zone| !zone.methods.is_empty());
    shipped.problem = match (request.shipping_method, &shipped.chosen) {
        (Some(_), None) => Some(ProblemCode::ShippingMethodUnavailable),
        (None, _) if !shipped.options.is_empty() => Some(ProblemCode::ShippingMethodRequired),
        (None, _) if has_methods => Some(ProblemCode::ShippingUnavailable),
        _ => None,
    };
    shipped
}

fn rate_in(method: &ShippingMethod, currency: Currency) -> Option<&ShippingRate> {
    method.rates.iter().find(|rate| rate.price.currency == currency)
}

/// The price by a rate: that of the last tier that is reached.
fn price(kind: ShippingKind, rate: &ShippingRate, goods: i64, weight: i64) -> i64 {
    if rate.free_above.is_some_and(|above| above.amount <= goods) {
        return 0;
    }
    let reached = rate.tiers.iter().rev().find(|tier| match kind {
        ShippingKind::Flat => false,
        ShippingKind::ByWeight => tier.from_weight.is_some_and(|from| from <= weight),
        ShippingKind::BySubtotal => tier.from_subtotal.is_some_and(|from| from.amount <= goods),
    });
    reached.map_or(rate.price, |tier| tier.price).amount
}
