//! Promotions: which of them apply, and what each takes off the lines.
//!
//! They apply by priority, the highest first, of equal ones the oldest first; each to what the ones before it left. An
//! exclusive one applies only if none before it does, and then none after it does. One that gives nothing does not
//! apply.

use std::cmp::Reverse;

use contract::text::compatible;
use subjects::{
    Money,
    pricing::{
        Conditions, Discount, ONE, Problem, ProblemCode, Promotion, QuoteLine, QuoteRequest, Reward, RewardKind,
        RuleKind, RuleVersion, Stacking,
    },
};

use super::{
    Rules,
    rounding::{divide, part},
    version,
};

/// What the promotions make of the lines.
pub(super) struct Promoted {
    /// The price of each line that is left.
    pub left: Vec<i64>,
    pub is_shipping_free: bool,
    pub discounts: Vec<Discount>,
    pub used: Vec<RuleVersion>,
    pub problems: Vec<Problem>,
}

/// The form in which codes are stored and compared.
pub(crate) fn normal_code(code: &str) -> String {
    compatible(code).to_uppercase()
}

/// Applies all promotions that apply by themselves or by one of the coupons.
pub(super) fn apply(rules: &Rules, request: &QuoteRequest, prices: &[i64]) -> Promoted {
    let mut promoted = Promoted {
        left: prices.to_vec(),
        is_shipping_free: false,
        discounts: Vec::new(),
        used: Vec::new(),
        problems: Vec::new(),
    };
    let codes: Vec<String> = request.coupons.iter().map(|coupon| normal_code(coupon)).collect();
    let is_current = |promotion: &&Promotion| {
        promotion.is_active
            && promotion.starts_at.is_none_or(|start| start <= rules.at)
            && promotion.ends_at.is_none_or(|end| rules.at < end)
            && promotion.code.as_ref().is_none_or(|code| codes.contains(code))
    };
    let mut candidates: Vec<&Promotion> = rules.promotions.iter().filter(is_current).collect();
    candidates.sort_by_key(|promotion| (Reverse(promotion.priority), promotion.id));

    let subtotal = Money::new(prices.iter().sum(), request.currency);
    let mut is_closed = false;
    for promotion in &candidates {
        let is_alone = promotion.stacking == Stacking::Exclusive;
        if is_closed || is_alone && !promoted.discounts.is_empty() || !is_met(&promotion.conditions, subtotal) {
            continue;
        }
        if promoted.take(promotion, request) {
            is_closed = is_alone;
        }
    }
    promoted.problems = problems(request, &codes, &candidates, &promoted.discounts);
    promoted
}

impl Promoted {
    /// Applies a promotion. Returns whether it gives anything.
    fn take(&mut self, promotion: &Promotion, request: &QuoteRequest) -> bool {
        let is_concerned = |line: &&QuoteLine| concerns(&promotion.conditions, line);
        let Some(off) = reductions(&promotion.reward, request, is_concerned, &self.left) else { return false };
        let amount: i64 = off.iter().sum();
        let free_shipping = promotion.reward.kind == RewardKind::FreeShipping;
        if amount == 0 && !free_shipping {
            return false;
        }
        for (left, off) in self.left.iter_mut().zip(off) {
            *left -= off;
        }
        self.is_shipping_free |= free_shipping;
        self.discounts.push(Discount {
            promotion_id: promotion.id,
            name: promotion.name.clone(),
            code: promotion.code.clone(),
            amount: Money::new(amount, request.currency),
            free_shipping,
        });
        self.used.push(version(RuleKind::Promotion, promotion.id.0, promotion.version));
        true
    }
}

fn is_met(conditions: &Conditions, subtotal: Money) -> bool {
    let of_currency = |minimum: &&Money| minimum.currency == subtotal.currency;
    let minimum = conditions.minimum_subtotals.iter().find(of_currency);
    conditions.minimum_subtotals.is_empty() || minimum.is_some_and(|minimum| minimum.amount <= subtotal.amount)
}

/// Whether a promotion concerns a line.
fn concerns(conditions: &Conditions, line: &QuoteLine) -> bool {
    let Conditions { variant_ids, product_ids, category_ids, .. } = conditions;
    let names_none = variant_ids.is_empty() && product_ids.is_empty() && category_ids.is_empty();
    names_none
        || variant_ids.contains(&line.variant_id)
        || product_ids.contains(&line.product_id)
        || line.category_id.is_some_and(|category| category_ids.contains(&category))
}

/// What each line is reduced by; `None` if the reward does not apply.
fn reductions(
    reward: &Reward,
    request: &QuoteRequest,
    is_concerned: impl Fn(&&QuoteLine) -> bool,
    left: &[i64],
) -> Option<Vec<i64>> {
    let lines = || request.lines.iter().enumerate().filter(|(_, line)| is_concerned(line));
    let mut weights = vec![0; left.len()];
    for (place, _) in lines() {
        weights[place] = left[place];
    }
    let sum: i64 = weights.iter().sum();
    match reward.kind {
        RewardKind::Percent => Some(divide(part(sum, reward.rate?.min(ONE), ONE), &weights)),
        RewardKind::Amount => {
            let amounts = reward.amounts.as_deref().unwrap_or_default();
            let amount = amounts.iter().find(|amount| amount.currency == request.currency)?.amount;
            Some(divide(amount.min(sum), &weights))
        }
        RewardKind::FreeShipping => lines().next().map(|_| vec![0; left.len()]),
        RewardKind::BuyXGetY => {
            let (buy, get) = (reward.buy?.max(1), reward.get?.max(1));
            let units: i64 = lines().map(|(_, line)| line.quantity).sum();
            let mut reduced = units / (buy + get) * get;
            let rate = reward.rate.unwrap_or(ONE).min(ONE);
            let mut off = vec![0; left.len()];
            let mut cheapest: Vec<_> = lines().collect();
            // Of equal prices the last line first.
            cheapest.sort_by_key(|(place, line)| (line.unit_price.amount, Reverse(*place)));
            for (place, line) in cheapest {
                let units = reduced.min(line.quantity);
                reduced -= units;
                // The units' part of what is left of the line.
                off[place] = part(left[place], units * rate, line.quantity.max(1) * ONE);
            }
            Some(off)
        }
    }
}

/// The coupons that did not apply.
fn problems(request: &QuoteRequest, codes: &[String], current: &[&Promotion], discounts: &[Discount]) -> Vec<Problem> {
    let why = |code: &String| {
        if discounts.iter().any(|discount| discount.code.as_ref() == Some(code)) {
            None
        } else if current.iter().any(|promotion| promotion.code.as_ref() == Some(code)) {
            Some(ProblemCode::CouponNotApplicable)
        } else {
            Some(ProblemCode::UnknownCoupon)
        }
    };
    let named = request.coupons.iter().zip(codes);
    named.filter_map(|(coupon, code)| Some(Problem { code: why(code)?, coupon: Some(coupon.clone()) })).collect()
}
