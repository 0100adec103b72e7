//! The same totals by another program: exact fractions, single units, and one step at a time.

use subjects::pricing::{ProblemCode, Promotion, QuoteLine, QuoteRequest, RewardKind, ShippingKind, Stacking, TaxRate};

use super::{super::Rules, Numbers};

/// An exact fraction.
#[derive(Clone, Copy)]
struct Fraction(i128, i128);

impl Fraction {
    fn of(number: i64) -> Self {
        Self(number.into(), 1)
    }

    fn millionths(rate: i64) -> Self {
        Self(rate.into(), 1_000_000)
    }

    fn plus(self, other: Self) -> Self {
        Self(self.0 * other.1 + other.0 * self.1, self.1 * other.1).lowest()
    }

    fn times(self, other: Self) -> Self {
        Self(self.0 * other.0, self.1 * other.1).lowest()
    }

    fn over(self, other: Self) -> Self {
        self.times(Self(other.1, other.0))
    }

    fn lowest(self) -> Self {
        let (mut a, mut b) = (self.0, self.1);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        // The denominator stays positive.
        Self(self.0 / a.abs(), self.1 / a.abs())
    }

    fn floor(self) -> i64 {
        i64::try_from(self.0.div_euclid(self.1)).unwrap()
    }

    /// The nearest whole number, a half upwards.
    fn rounded(self) -> i64 {
        self.plus(Self(1, 2)).floor()
    }

    fn is_less(self, other: Self) -> bool {
        self.0 * other.1 < other.0 * self.1
    }
}

/// Largest remainder: a unit at a time to the share that is furthest below its exact value.
fn shared(amount: i64, weights: &[i64]) -> Vec<i64> {
    let whole: i64 = weights.iter().sum();
    if whole == 0 {
        return weights.iter().map(|_| 0).collect();
    }
    let exact = |weight: i64| Fraction::of(amount).times(Fraction::of(weight)).over(Fraction::of(whole));
    let mut shares: Vec<i64> = weights.iter().map(|weight| exact(*weight).floor()).collect();
    while shares.iter().sum::<i64>() < amount {
        let missing = |place: usize| exact(weights[place]).plus(Fraction::of(-shares[place]));
        let mut best = 0;
        for place in 1..weights.len() {
            if missing(best).is_less(missing(place)) {
                best = place;
            }
        }
        shares[best] += 1;
    }
    shares
}

fn named(promotion: &Promotion, line: &QuoteLine) -> bool {
    let conditions = &promotion.conditions;
    let mut names: Vec<bool> = conditions.variant_ids.iter().map(|id| *id == line.variant_id).collect();
    names.extend(conditions.product_ids.iter().map(|id| *id == line.product_id));
    names.extend(conditions.category_ids.iter().map(|id| Some(*id) == line.category_id));
    names.is_empty() || names.into_iter().any(|is_named| is_named)
}

/// What each line loses by a promotion.
fn losses(promotion: &Promotion, request: &QuoteRequest, left: &[i64]) -> Option<Vec<i64>> {
    let reward = &promotion.reward;
    let concerned: Vec<bool> = request.lines.iter().map(|line| named(promotion, line)).collect();
    let weights: Vec<i64> = left.iter().zip(&concerned).map(|(left, is)| if *is { *left } else { 0 }).collect();
    let sum: i64 = weights.iter().sum();
    match reward.kind {
        RewardKind::Percent => {
            let off = Fraction::of(sum).times(Fraction::millionths(reward.rate.unwrap())).rounded();
            Some(shared(off, &weights))
        }
        RewardKind::Amount => {
            let amounts = reward.amounts.as_ref().unwrap();
            let amount = amounts.iter().find(|amount| amount.currency == request.currency)?;
            Some(shared(if amount.amount < sum { amount.amount } else { sum }, &weights))
        }
        RewardKind::FreeShipping => concerned.contains(&true).then(|| vec![0; left.len()]),
        RewardKind::BuyXGetY => {
            let mut units: Vec<(i64, usize)> = Vec::new();
            for (place, line) in request.lines.iter().enumerate().filter(|(place, _)| concerned[*place]) {
                units.extend((0..line.quantity).map(|_| (line.unit_price.amount, place)));
            }
            // The dearest first; of equal ones those of the first line.
            units.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let group = usize::try_from(reward.buy.unwrap() + reward.get.unwrap()).unwrap();
            let reduced = units.len() / group * usize::try_from(reward.get.unwrap()).unwrap();
            let mut exact = vec![Fraction::of(0); left.len()];
            let rate = Fraction::millionths(reward.rate.unwrap_or(1_000_000));
            for (_, place) in units.split_off(units.len() - reduced) {
                let unit = Fraction::of(left[place]).over(Fraction::of(request.lines[place].quantity));
                exact[place] = exact[place].plus(unit.times(rate));
            }
            Some(exact.into_iter().map(Fraction::rounded).collect())
        }
    }
}

/// Lines and promotions after the promotions.
struct Reduced {
    left: Vec<i64>,
    is_free: bool,
    applied: Vec<(String, i64)>,
    problems: Vec<ProblemCode>,
}

fn reduce(rules: &Rules, request: &QuoteRequest) -> Reduced {
    let mut left: Vec<i64> = request.lines.iter().map(|line| line.unit_price.amount * line.quantity).collect();
    let subtotal: i64 = left.iter().sum();
    let is_open = |promotion: &Promotion| {
        let has_begun = promotion.starts_at.is_none() || promotion.starts_at.unwrap() <= rules.at;
        let has_ended = promotion.ends_at.is_some() && promotion.ends_at.unwrap() <= rules.at;
        let has_coupon = promotion.code.is_none() || request.coupons.contains(promotion.code.as_ref().unwrap());
        promotion.is_active && has_begun && !has_ended && has_coupon
    };
    let mut open: Vec<&Promotion> = rules.promotions.iter().filter(|promotion| is_open(promotion)).collect();
    open.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.id.cmp(&b.id)));
    let (mut applied, mut is_free, mut alone) = (Vec::<&Promotion>::new(), false, false);
    let mut amounts = Vec::new();
    for promotion in &open {
        let minimums = &promotion.conditions.minimum_subtotals;
        let is_reached = |minimum: &subjects::Money| minimum.currency == request.currency && minimum.amount <= subtotal;
        let is_reached = minimums.is_empty() || minimums.iter().any(is_reached);
        let is_possible = applied.is_empty() || promotion.stacking == Stacking::Combinable;
        if alone || !is_possible || !is_reached {
            continue;
        }
        let Some(losses) = losses(promotion, request, &left) else { continue };
        let makes_free = promotion.reward.kind == RewardKind::FreeShipping;
        if !makes_free && losses.iter().all(|loss| *loss == 0) {
            continue;
        }
        left = left.iter().zip(&losses).map(|(left, loss)| left - loss).collect();
        is_free = is_free || makes_free;
        alone = promotion.stacking == Stacking::Exclusive;
        amounts.push((promotion.name.clone(), losses.iter().sum()));
        applied.push(promotion);
    }
    let has =
        |promotions: &[&Promotion], coupon: &String| promotions.iter().any(|one| one.code.as_ref() == Some(coupon));
    let mut problems = Vec::new();
    for coupon in &request.coupons {
        if !has(&open, coupon) {
            problems.push(ProblemCode::UnknownCoupon);
        } else if !has(&applied, coupon) {
            problems.push(ProblemCode::CouponNotApplicable);
        }
    }
    Reduced { left, is_free, applied: amounts, problems }
}

/// The options, the price of the chosen one and the problem.
fn ship(
    rules: &Rules,
    request: &QuoteRequest,
    goods: i64,
    is_free: bool,
) -> (Vec<(String, i64)>, i64, Vec<ProblemCode>) {
    let Some(address) = &request.address else { return (Vec::new(), 0, Vec::new()) };
    let grams: i64 = request.lines.iter().map(|line| line.weight.unwrap_or(0) * line.quantity).sum();
    let mut zones: Vec<_> = rules.zones.iter().filter(|zone| zone.countries.contains(&address.country)).collect();
    zones.sort_by_key(|zone| zone.id);
    let methods: Vec<_> = zones.iter().flat_map(|zone| &zone.methods).collect();
    let (mut options, mut chosen) = (Vec::new(), None);
    for method in &methods {
        for rate in method.rates.iter().filter(|rate| rate.price.currency == request.currency) {
            let mut price = rate.price.amount;
            for tier in &rate.tiers {
                let is_reached = match method.kind {
                    ShippingKind::Flat => false,
                    ShippingKind::ByWeight => grams >= tier.from_weight.unwrap(),
                    ShippingKind::BySubtotal => goods >= tier.from_subtotal.unwrap().amount,
                };
                if is_reached {
                    price = tier.price.amount;
                }
            }
            if is_free || rate.free_above.is_some() && goods >= rate.free_above.unwrap().amount {
                price = 0;
            }
            if request.shipping_method == Some(method.id) {
                chosen = Some(price);
            }
            options.push((method.name.clone(), price));
        }
    }
    let problem = if request.shipping_method.is_some() && chosen.is_none() {
        Some(ProblemCode::ShippingMethodUnavailable)
    } else if request.shipping_method.is_none() && !methods.is_empty() {
        let code =
            if options.is_empty() { ProblemCode::ShippingUnavailable } else { ProblemCode::ShippingMethodRequired };
        Some(code)
    } else {
        None
    };
    (options, chosen.unwrap_or(0), problem.into_iter().collect())
}

/// The tax lines, the tax that is added, and that of each line.
fn tax(rules: &Rules, request: &QuoteRequest, left: &[i64], charge: i64) -> (Vec<(String, i64, i64)>, i64, Vec<i64>) {
    let mut of_lines = vec![0; left.len()];
    let Some(address) = &request.address else { return (Vec::new(), 0, of_lines) };
    let state = address.state.clone().unwrap_or_default();
    let mut rates: Vec<&TaxRate> = rules.tax_rates.iter().collect();
    rates.retain(|rate| rate.country == address.country && (rate.state.is_none() || rate.state == Some(state.clone())));
    rates.sort_by_key(|rate| rate.id);
    let (mut lines, mut added) = (Vec::new(), 0);
    for category in ["reduced", "shipping", "standard"] {
        let of_category = |line: &QuoteLine| line.tax_category.as_deref().unwrap_or("standard") == category;
        let mut gross: i64 =
            request.lines.iter().zip(left).filter(|(line, _)| of_category(line)).map(|(_, left)| left).sum();
        if category == "shipping" {
            gross += charge;
        }
        let rates: Vec<_> = rates.iter().filter(|rate| rate.tax_category == category).collect();
        if gross == 0 || rates.is_empty() {
            continue;
        }
        let inclusive: Vec<_> = rates.iter().filter(|rate| rate.inclusive).collect();
        let factor = inclusive.iter().fold(Fraction::of(1), |sum, rate| sum.plus(Fraction::millionths(rate.rate)));
        let net = Fraction::of(gross).over(factor).rounded();
        let weights: Vec<i64> = inclusive.iter().map(|rate| rate.rate).collect();
        let mut contained = shared(gross - net, &weights).into_iter();
        let before = added;
        for rate in rates {
            let amount = if rate.inclusive {
                contained.next().unwrap()
            } else {
                let amount = Fraction::of(net).times(Fraction::millionths(rate.rate)).rounded();
                added += amount;
                amount
            };
            lines.push((rate.name.clone(), net, amount));
        }
        let is_concerned: Vec<bool> = request.lines.iter().map(of_category).collect();
        let mut weights: Vec<i64> = left.iter().zip(&is_concerned).map(|(left, is)| left * i64::from(*is)).collect();
        weights.push(if category == "shipping" { charge } else { 0 });
        let shares = shared(added - before, &weights);
        of_lines = of_lines.iter().zip(shares).map(|(of_line, share)| of_line + share).collect();
    }
    (lines, added, of_lines)
}

pub(super) fn recompute(rules: &Rules, request: &QuoteRequest) -> Numbers {
    let subtotal: i64 = request.lines.iter().map(|line| line.unit_price.amount * line.quantity).sum();
    let reduced = reduce(rules, request);
    let goods: i64 = reduced.left.iter().sum();
    let (options, shipping, shipping_problem) = ship(rules, request, goods, reduced.is_free);
    let (tax_lines, added, taxes) = tax(rules, request, &reduced.left, shipping);
    let discount: i64 = reduced.applied.iter().map(|(_, amount)| amount).sum();
    Numbers {
        subtotal,
        discount,
        shipping,
        tax: request.address.is_some().then_some(added),
        total: subtotal - discount + shipping + added,
        lines: reduced.left.iter().copied().zip(taxes).collect(),
        tax_lines,
        discounts: reduced.applied,
        options,
        problems: [reduced.problems, shipping_problem].concat(),
    }
}
