//! Totals that were computed by hand.

use chrono::DateTime;
use subjects::{
    Currency, Money, PromotionId, ShippingMethodId, ShippingZoneId, TaxRateId,
    pricing::{
        Conditions, PricingError, ProblemCode, Promotion, QuoteRequest, Reward, RewardKind, RuleKind, ShippingKind,
        ShippingMethod, ShippingRate, ShippingZone, Stacking, TaxRate, Zone,
    },
};
use uuid::Uuid;

use super::{
    super::{Rules, quote},
    Numbers, line, request,
};

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::USD)
}

fn no_rules() -> Rules {
    Rules { at: DateTime::UNIX_EPOCH, tax_rates: Vec::new(), zones: Vec::new(), promotions: Vec::new() }
}

fn tax_rate(id: u128, state: Option<&str>, rate: i64, inclusive: bool) -> TaxRate {
    TaxRate {
        id: TaxRateId(Uuid::from_u128(id)),
        country: "US".into(),
        state: state.map(Into::into),
        name: id.to_string(),
        rate,
        inclusive,
        tax_category: "standard".into(),
        version: 3,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn promotion(id: u128, kind: RewardKind) -> Promotion {
    Promotion {
        id: PromotionId(Uuid::from_u128(id)),
        name: id.to_string(),
        code: None,
        is_active: true,
        reward: Reward { kind, rate: None, amounts: None, buy: None, get: None },
        conditions: Conditions::default(),
        starts_at: None,
        ends_at: None,
        stacking: Stacking::Combinable,
        priority: 0,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn percent(id: u128, rate: i64) -> Promotion {
    let promotion = promotion(id, RewardKind::Percent);
    Promotion { reward: Reward { rate: Some(rate), ..promotion.reward }, ..promotion }
}

fn zone(price: i64, free_above: Option<i64>) -> ShippingZone {
    let rate = ShippingRate { price: usd(price), tiers: Vec::new(), free_above: free_above.map(usd) };
    ShippingZone {
        id: ShippingZoneId(Uuid::from_u128(1)),
        name: "Domestic".into(),
        countries: vec!["US".into()],
        methods: vec![ShippingMethod {
            id: parcel(),
            name: "Parcel".into(),
            kind: ShippingKind::Flat,
            rates: vec![rate],
        }],
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn parcel() -> ShippingMethodId {
    ShippingMethodId(Uuid::from_u128(1))
}

/// To an address in the United States.
fn shipped(state: Option<&str>, of: QuoteRequest) -> QuoteRequest {
    QuoteRequest { address: Some(Zone { country: "US".into(), state: state.map(Into::into) }), ..of }
}

fn numbers(rules: &Rules, request: &QuoteRequest) -> Numbers {
    Numbers::of(&quote(rules, request).unwrap())
}

#[test]
fn without_rules_the_total_is_the_subtotal() {
    let of = request(Currency::USD, vec![line(1, 2, usd(4999)), line(2, 3, usd(1))]);
    let without_address = quote(&no_rules(), &of).unwrap();
    assert_eq!(Numbers::of(&without_address).total, 10_001);
    assert_eq!((without_address.totals.tax, without_address.problems, without_address.rules), (None, vec![], vec![]));
    let numbers = numbers(&no_rules(), &shipped(None, of));
    assert_eq!((numbers.tax, numbers.shipping, numbers.discount, numbers.total), (Some(0), 0, 0, 10_001));
    assert_eq!(numbers.problems, []);
}

#[test]
fn what_cannot_be_charged_is_rejected() {
    let euro = Money::new(1, Currency::EUR);
    for lines in [vec![line(1, 2, usd(i64::MAX))], vec![line(1, 2, usd(Money::MAX_AMOUNT))], vec![line(1, 1, euro)]] {
        assert_eq!(quote(&no_rules(), &request(Currency::USD, lines)), Err(PricingError::InvalidQuote));
    }
    let rules = Rules { tax_rates: vec![tax_rate(1, None, 1_000_000, false)], ..no_rules() };
    let most = shipped(None, request(Currency::USD, vec![line(1, 1, usd(Money::MAX_AMOUNT))]));
    assert_eq!(quote(&rules, &most), Err(PricingError::InvalidQuote), "with its tax");
}

#[test]
fn tax_is_added_by_state_and_contained_where_prices_have_it() {
    let of = || request(Currency::USD, vec![line(1, 1, usd(9999)), line(2, 1, usd(1))]);
    let rules = Rules {
        tax_rates: vec![tax_rate(1, None, 10_000, false), tax_rate(2, Some("NY"), 88_750, false)],
        ..no_rules()
    };
    let in_new_york = numbers(&rules, &shipped(Some(" ny "), of()));
    assert_eq!(in_new_york.tax_lines, [("1".into(), 10_000, 100), ("2".into(), 10_000, 888)]);
    assert_eq!((in_new_york.tax, in_new_york.total), (Some(988), 10_988));
    assert_eq!(numbers(&rules, &shipped(Some("IL"), of())).total, 10_100);
    // 119.00 with 19 % contained.
    let rules = Rules { tax_rates: vec![tax_rate(1, None, 190_000, true)], ..no_rules() };
    let contained = numbers(&rules, &shipped(None, request(Currency::USD, vec![line(1, 1, usd(11_900))])));
    assert_eq!(contained.tax_lines, [("1".into(), 10_000, 1900)]);
    assert_eq!((contained.tax, contained.total), (Some(0), 11_900));
}

#[test]
fn a_promotion_that_is_exclusive_applies_alone() {
    let of = QuoteRequest {
        coupons: vec![" ten ".into(), "nothing".into()],
        ..request(Currency::USD, vec![line(1, 3, usd(1000)), line(2, 1, usd(500))])
    };
    let ten = Promotion { code: Some("TEN".into()), ..percent(1, 100_000) };
    let half = percent(2, 500_000);
    let both = Rules { promotions: vec![half.clone(), ten.clone()], ..no_rules() };
    let stacked = numbers(&both, &of);
    assert_eq!(stacked.discounts, [("1".into(), 350), ("2".into(), 1575)], "the older one first");
    assert_eq!((stacked.discount, stacked.problems), (1925, vec![ProblemCode::UnknownCoupon]));
    let alone = Promotion { stacking: Stacking::Exclusive, ..half };
    let after = numbers(&Rules { promotions: vec![ten.clone(), alone.clone()], ..no_rules() }, &of);
    assert_eq!(after.discounts, [("1".into(), 350)]);
    let before = Promotion { priority: 1, ..alone };
    let before = numbers(&Rules { promotions: vec![ten, before], ..no_rules() }, &of);
    assert_eq!(before.discounts, [("2".into(), 1750)]);
    assert_eq!(before.problems, [ProblemCode::CouponNotApplicable, ProblemCode::UnknownCoupon]);
}

#[test]
fn of_three_units_the_cheapest_is_free() {
    let two_and_one = promotion(1, RewardKind::BuyXGetY);
    let reward = Reward { buy: Some(2), get: Some(1), ..two_and_one.reward };
    let rules = Rules { promotions: vec![Promotion { reward, ..two_and_one }], ..no_rules() };
    let of = request(Currency::USD, vec![line(1, 3, usd(1000)), line(2, 2, usd(300)), line(3, 2, usd(700))]);
    // Seven units make two groups: the two at 3.00 are free.
    assert_eq!(numbers(&rules, &of).discounts, [("1".into(), 600)]);
    let two = request(Currency::USD, vec![line(1, 2, usd(1000))]);
    assert_eq!(numbers(&rules, &two).discounts, []);
    let many = request(Currency::USD, vec![line(1, 10_000, usd(1000)), line(2, 10_000, usd(300))]);
    assert_eq!(numbers(&rules, &many).discount, 6666 * 300);
}

#[test]
fn a_free_unit_costs_what_the_promotions_before_have_left_of_it() {
    let one_and_one = promotion(2, RewardKind::BuyXGetY);
    let reward = Reward { buy: Some(1), get: Some(1), ..one_and_one.reward };
    let half = Promotion { priority: 10, ..percent(1, 500_000) };
    let rules = Rules { promotions: vec![half, Promotion { reward, ..one_and_one }], ..no_rules() };
    let two = request(Currency::USD, vec![line(1, 2, usd(1000))]);
    assert_eq!(numbers(&rules, &two).discounts, [("1".into(), 1000), ("2".into(), 500)]);
}

#[test]
fn goods_for_enough_are_shipped_free_and_a_method_must_be_chosen() {
    let of = |amount| shipped(None, request(Currency::USD, vec![line(1, 1, usd(amount))]));
    let rules = Rules { zones: vec![zone(700, Some(5000))], ..no_rules() };
    let none = numbers(&rules, &of(4999));
    assert_eq!((none.shipping, none.problems), (0, vec![ProblemCode::ShippingMethodRequired]));
    assert_eq!(none.options, [("Parcel".into(), 700)]);
    let with = |request| QuoteRequest { shipping_method: Some(parcel()), ..request };
    assert_eq!((numbers(&rules, &with(of(4999))).total, numbers(&rules, &with(of(5000))).total), (5699, 5000));
    // The discount brings the goods below the amount, unless it is free shipping.
    let rules = Rules { promotions: vec![percent(1, 10_000)], ..rules };
    assert_eq!(numbers(&rules, &with(of(5000))).total, 4950 + 700);
    let free = Rules { promotions: vec![promotion(1, RewardKind::FreeShipping)], ..rules };
    let free = quote(&free, &with(of(4000))).unwrap();
    assert_eq!((free.totals.total, free.discounts[0].free_shipping), (usd(4000), true));
    assert_eq!(
        free.rules.iter().map(|rule| rule.kind).collect::<Vec<_>>(),
        [RuleKind::Promotion, RuleKind::ShippingZone]
    );
    let unavailable = numbers(&no_rules(), &with(of(4000)));
    assert_eq!(unavailable.problems, [ProblemCode::ShippingMethodUnavailable]);
    let euro = QuoteRequest { currency: Currency::EUR, lines: Vec::new(), ..of(1) };
    let rules = Rules { zones: vec![zone(700, None)], ..no_rules() };
    assert_eq!(numbers(&rules, &euro).problems, [ProblemCode::ShippingUnavailable]);
}

#[test]
fn the_shipping_charge_has_a_tax_category_of_its_own() {
    let of = shipped(None, request(Currency::USD, vec![line(1, 1, usd(1000))]));
    let of = QuoteRequest { shipping_method: Some(parcel()), ..of };
    let goods = tax_rate(1, None, 100_000, false);
    let charge = TaxRate { tax_category: "shipping".into(), ..tax_rate(2, None, 200_000, false) };
    let rules = Rules { zones: vec![zone(500, None)], tax_rates: vec![goods, charge], ..no_rules() };
    let numbers = numbers(&rules, &of);
    assert_eq!(numbers.tax_lines, [("2".into(), 500, 100), ("1".into(), 1000, 100)]);
    assert_eq!(numbers.total, 1700);
}
