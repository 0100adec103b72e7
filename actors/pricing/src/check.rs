//! Validation of rules. Errors name fields as the client sent them.

use std::collections::BTreeSet;

use chrono::Datelike;
use contract::{Detail, DetailCode, Fields, LineBreaks};
use subjects::{
    Currency, Money, ShippingMethodId,
    pricing::{
        NewShippingMethod, ONE, PricingError, Promotion, Reward, RewardKind, ShippingKind, ShippingMethod,
        ShippingRate, ShippingTier, ShippingZone, TaxRate,
    },
    shop::Country,
};

/// The highest amount of a rule in minor units.
const MAX_AMOUNT: i64 = 1_000_000_000_000;
/// The highest weight of a tier, in grams.
const MAX_WEIGHT: i64 = 1_000_000_000;
/// The most entries of a list of currencies, tiers or methods.
const MAX_ENTRIES: usize = 20;
/// The most countries of a zone.
const MAX_COUNTRIES: usize = 300;
/// The years of times. PostgreSQL writes others in a form that is not ISO 8601.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// The most variants, products or categories of a promotion.
const MAX_IDS: usize = 500;

fn name(fields: &mut Fields, field: &str, text: &str) {
    fields.text(field, text, 1..=100, LineBreaks::Forbidden);
}

fn country(fields: &mut Fields, field: &str, text: &str) {
    if let Err(message) = text.parse::<Country>() {
        fields.wrong(Detail::format(field, "country", message));
    }
}

fn amount(fields: &mut Fields, field: &str, money: Money, min: i64) {
    fields.range(&format!("{field}.amount"), money.amount, min..=MAX_AMOUNT);
}

/// An amount of a rate, which must be in the rate's currency.
fn amount_in(fields: &mut Fields, field: &str, money: Money, currency: Currency) {
    amount(fields, field, money, 0);
    if money.currency != currency {
        let message = format!("must be {currency}, the currency of the rate");
        let detail = Detail::new(format!("{field}.currency"), DetailCode::OneOf, message);
        fields.wrong(detail.with("allowed", vec![currency.code()]));
    }
}

/// Checks that an entry of a list is the first of its currency.
fn once(fields: &mut Fields, field: &str, currency: Currency, known: &mut BTreeSet<Currency>) {
    if !known.insert(currency) {
        fields.wrong(Detail::repeated(format!("{field}.currency")));
    }
}

fn count(fields: &mut Fields, field: &str, len: usize, min: usize, max: usize) {
    if !(min..=max).contains(&len) {
        fields.wrong(Detail::count(field, min, max));
    }
}

/// Checks a tax rate.
pub(crate) fn tax_rate(rate: &TaxRate) -> Result<(), PricingError> {
    let mut fields = Fields::default();
    country(&mut fields, "country", &rate.country);
    if let Some(state) = &rate.state {
        fields.text("state", state, 1..=200, LineBreaks::Forbidden);
    }
    name(&mut fields, "name", &rate.name);
    fields.range("rate", rate.rate, 0..=ONE);
    fields.text("tax_category", &rate.tax_category, 1..=50, LineBreaks::Forbidden);
    fields.finish().map_err(|fields| PricingError::InvalidTaxRate { fields })
}

/// Checks that the ids of methods are different ones of the zone.
pub(crate) fn method_ids(new: &[NewShippingMethod], old: &[ShippingMethod]) -> Result<(), PricingError> {
    let mut fields = Fields::default();
    let mut free: BTreeSet<ShippingMethodId> = old.iter().map(|method| method.id).collect();
    for (index, method) in new.iter().enumerate() {
        if method.id.is_some_and(|id| !free.remove(&id)) {
            let message = "must be the id of a method of the zone, named once";
            fields.wrong(Detail::new(format!("methods[{index}].id"), DetailCode::NotFound, message));
        }
    }
    fields.finish().map_err(|fields| PricingError::InvalidShippingZone { fields })
}

/// Checks a shipping zone.
pub(crate) fn shipping_zone(zone: &ShippingZone) -> Result<(), PricingError> {
    let mut fields = Fields::default();
    name(&mut fields, "name", &zone.name);
    count(&mut fields, "countries", zone.countries.len(), 1, MAX_COUNTRIES);
    for (index, code) in zone.countries.iter().take(MAX_COUNTRIES).enumerate() {
        country(&mut fields, &format!("countries[{index}]"), code);
    }
    count(&mut fields, "methods", zone.methods.len(), 0, MAX_ENTRIES);
    for (index, method) in zone.methods.iter().take(MAX_ENTRIES).enumerate() {
        let field = format!("methods[{index}]");
        name(&mut fields, &format!("{field}.name"), &method.name);
        count(&mut fields, &format!("{field}.rates"), method.rates.len(), 1, MAX_ENTRIES);
        let mut currencies = BTreeSet::new();
        for (index, rate) in method.rates.iter().take(MAX_ENTRIES).enumerate() {
            let field = format!("{field}.rates[{index}]");
            once(&mut fields, &format!("{field}.price"), rate.price.currency, &mut currencies);
            shipping_rate(&mut fields, &field, method.kind, rate);
        }
    }
    fields.finish().map_err(|fields| PricingError::InvalidShippingZone { fields })
}

fn shipping_rate(fields: &mut Fields, field: &str, kind: ShippingKind, rate: &ShippingRate) {
    let currency = rate.price.currency;
    amount(fields, &format!("{field}.price"), rate.price, 0);
    if let Some(above) = rate.free_above {
        amount_in(fields, &format!("{field}.free_above"), above, currency);
    }
    let most = if kind == ShippingKind::Flat { 0 } else { MAX_ENTRIES };
    count(fields, &format!("{field}.tiers"), rate.tiers.len(), 0, most);
    let mut last = -1;
    for (index, tier) in rate.tiers.iter().take(most).enumerate() {
        let field = format!("{field}.tiers[{index}]");
        amount_in(fields, &format!("{field}.price"), tier.price, currency);
        last = shipping_tier(fields, &field, kind, tier, currency, last);
    }
}

/// Checks the start of a tier, and returns it.
fn shipping_tier(
    fields: &mut Fields,
    field: &str,
    kind: ShippingKind,
    tier: &ShippingTier,
    currency: Currency,
    last: i64,
) -> i64 {
    let (weight, subtotal) = (format!("{field}.from_weight"), format!("{field}.from_subtotal"));
    let (start, field, other, max) = match kind {
        ShippingKind::ByWeight => {
            (tier.from_weight, weight, tier.from_subtotal.is_some().then_some(subtotal), MAX_WEIGHT)
        }
        ShippingKind::Flat | ShippingKind::BySubtotal => {
            if let Some(from) = tier.from_subtotal {
                amount_in(fields, &subtotal, from, currency);
            }
            let start = tier.from_subtotal.map(|from| from.amount);
            (start, subtotal, tier.from_weight.map(|_| weight), MAX_AMOUNT)
        }
    };
    if let Some(other) = other {
        fields.wrong(of_another_kind(other));
    }
    match start {
        None => fields.wrong(Detail::required(field)),
        Some(start) => fields.range(&field, start, last.saturating_add(1)..=max),
    }
    start.unwrap_or(last)
}

fn of_another_kind(field: String) -> Detail {
    Detail::new(field, DetailCode::Conflict, "belongs to another kind")
}

/// Checks a promotion.
pub(crate) fn promotion(promotion: &Promotion) -> Result<(), PricingError> {
    let mut fields = Fields::default();
    name(&mut fields, "name", &promotion.name);
    if let Some(code) = &promotion.code {
        fields.text("code", code, 1..=50, LineBreaks::Forbidden);
        if code.chars().any(char::is_whitespace) {
            fields.wrong(Detail::characters("code", "blanks"));
        }
    }
    reward(&mut fields, &promotion.reward);
    let conditions = &promotion.conditions;
    amounts(&mut fields, "conditions.minimum_subtotals", &conditions.minimum_subtotals, 0);
    for (field, len) in [
        ("variant_ids", conditions.variant_ids.len()),
        ("product_ids", conditions.product_ids.len()),
        ("category_ids", conditions.category_ids.len()),
    ] {
        count(&mut fields, &format!("conditions.{field}"), len, 0, MAX_IDS);
    }
    for (field, time) in [("starts_at", promotion.starts_at), ("ends_at", promotion.ends_at)] {
        if time.is_some_and(|time| !YEARS.contains(&time.year())) {
            fields.wrong(Detail::new(field, DetailCode::Range, "must be a time of the years 1970 to 9999"));
        }
    }
    if let (Some(start), Some(end)) = (promotion.starts_at, promotion.ends_at)
        && end <= start
    {
        fields.wrong(Detail::new("ends_at", DetailCode::Range, "must be after starts_at"));
    }
    fields.range("priority", promotion.priority, -1000..=1000);
    fields.finish().map_err(|fields| PricingError::InvalidPromotion { fields })
}

/// Checks amounts, one per currency.
fn amounts(fields: &mut Fields, field: &str, list: &[Money], min_count: usize) {
    count(fields, field, list.len(), min_count, MAX_ENTRIES);
    let mut currencies = BTreeSet::new();
    for (index, money) in list.iter().take(MAX_ENTRIES).enumerate() {
        let field = format!("{field}[{index}]");
        amount(fields, &field, *money, 1);
        once(fields, &field, money.currency, &mut currencies);
    }
}

/// Checks that a reward has the fields of its kind.
fn reward(fields: &mut Fields, reward: &Reward) {
    let Reward { kind, rate, amounts: list, buy, get } = reward;
    match (rate, kind) {
        (Some(rate), RewardKind::Percent | RewardKind::BuyXGetY) => fields.range("reward.rate", *rate, 1..=ONE),
        (None, RewardKind::Percent) => fields.wrong(Detail::required("reward.rate")),
        (Some(_), _) => fields.wrong(of_another_kind("reward.rate".into())),
        (None, _) => {}
    }
    match (list, kind) {
        (Some(list), RewardKind::Amount) => amounts(fields, "reward.amounts", list, 1),
        (None, RewardKind::Amount) => fields.wrong(Detail::required("reward.amounts")),
        (Some(_), _) => fields.wrong(of_another_kind("reward.amounts".into())),
        (None, _) => {}
    }
    for (field, units) in [("reward.buy", buy), ("reward.get", get)] {
        match (units, kind) {
            (Some(units), RewardKind::BuyXGetY) => fields.range(field, *units, 1..=1000),
            (None, RewardKind::BuyXGetY) => fields.wrong(Detail::required(field)),
            (Some(_), _) => fields.wrong(of_another_kind(field.into())),
            (None, _) => {}
        }
    }
}
