//! Random carts and rules.

use chrono::{DateTime, Duration};
use subjects::{
    CategoryId, Currency, Money, PromotionId, ShippingMethodId, ShippingZoneId, TaxRateId,
    pricing::{
        Conditions, ONE, Promotion, QuoteRequest, Reward, RewardKind, ShippingKind, ShippingMethod, ShippingRate,
        ShippingTier, ShippingZone, Stacking, TaxRate, Zone,
    },
};
use uuid::Uuid;

use super::{
    super::{Rules, quote},
    Numbers, line, reference, request,
};

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() >> 2).unwrap() % bound
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }

    fn maybe<T>(&mut self, percent: i64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| value(self))
    }

    fn several<T>(&mut self, bound: i64, value: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.below(bound)).map(|_| value(self)).collect()
    }

    /// An amount of any size.
    fn amount(&mut self) -> i64 {
        let size = self.one(&[3, 10, 100, 1000, 10_000, 1_000_000, 10_000_000_000]);
        self.below(size)
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn rate(&mut self) -> i64 {
        match self.below(4) {
            0 => self.one(&[0, 70_000, 190_000, 88_750, 333_333, ONE]),
            _ => self.below(ONE + 1),
        }
    }
}

const COUNTRIES: [&str; 2] = ["DE", "US"];
const STATES: [&str; 2] = ["IL", "NY"];

/// The currencies with 2, 0 and 3 decimals.
fn currencies() -> [Currency; 3] {
    ["USD", "JPY", "KWD"].map(|code| code.parse().unwrap())
}

fn amounts(random: &mut Random) -> Vec<Money> {
    let mut list = Vec::new();
    for currency in currencies() {
        list.extend(random.maybe(70, |random| Money::new(random.amount() + 1, currency)));
    }
    list
}

fn tax_rate(random: &mut Random) -> TaxRate {
    let id = random.uuid();
    TaxRate {
        id: TaxRateId(id),
        country: random.one(&COUNTRIES).into(),
        state: random.maybe(40, |random| random.one(&STATES).into()),
        name: id.to_string(),
        rate: random.rate(),
        inclusive: random.chance(50),
        tax_category: random.one(&["standard", "standard", "reduced", "shipping"]).into(),
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn shipping_rate(random: &mut Random, kind: ShippingKind, currency: Currency) -> ShippingRate {
    let money = |random: &mut Random| Money::new(random.amount(), currency);
    let (mut tiers, mut weight, mut subtotal) = (Vec::new(), 0, 0);
    for _ in 0..if kind == ShippingKind::Flat { 0 } else { random.below(4) } {
        weight += random.below(3000) + 1;
        subtotal += random.amount() + 1;
        let is_by_weight = kind == ShippingKind::ByWeight;
        tiers.push(ShippingTier {
            from_weight: is_by_weight.then_some(weight),
            from_subtotal: (!is_by_weight).then(|| Money::new(subtotal, currency)),
            price: money(random),
        });
    }
    ShippingRate { price: money(random), tiers, free_above: random.maybe(30, money) }
}

fn method(random: &mut Random) -> ShippingMethod {
    let (id, kind) = (random.uuid(), random.one(ShippingKind::ALL));
    let mut rates = Vec::new();
    for currency in currencies() {
        rates.extend(random.maybe(80, |random| shipping_rate(random, kind, currency)));
    }
    ShippingMethod { id: ShippingMethodId(id), name: id.to_string(), kind, rates }
}

fn zone(random: &mut Random) -> ShippingZone {
    ShippingZone {
        id: ShippingZoneId(random.uuid()),
        name: "zone".into(),
        countries: vec![random.one(&COUNTRIES).into()],
        methods: random.several(3, method),
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn reward(random: &mut Random) -> Reward {
    let kind = random.one(RewardKind::ALL);
    let is_units = kind == RewardKind::BuyXGetY;
    Reward {
        kind,
        rate: match kind {
            RewardKind::Percent => Some(random.rate().max(1)),
            RewardKind::BuyXGetY => random.maybe(50, |random| random.rate().max(1)),
            RewardKind::Amount | RewardKind::FreeShipping => None,
        },
        amounts: (kind == RewardKind::Amount).then(|| amounts(random)),
        buy: is_units.then(|| random.below(4) + 1),
        get: is_units.then(|| random.below(3) + 1),
    }
}

fn promotion(random: &mut Random) -> Promotion {
    let id = random.uuid();
    let moment = |random: &mut Random| DateTime::UNIX_EPOCH + Duration::hours(random.below(5) - 2);
    Promotion {
        id: PromotionId(id),
        name: id.to_string(),
        code: random.maybe(50, |random| random.one(&["A", "B", "C"]).into()),
        is_active: random.chance(90),
        reward: reward(random),
        conditions: Conditions {
            minimum_subtotals: if random.chance(30) { amounts(random) } else { Vec::new() },
            variant_ids: random
                .several(2, |random| line(random.below(5) as u128, 0, Money::zero(Currency::USD)).variant_id),
            product_ids: random
                .several(2, |random| line(random.below(5) as u128, 0, Money::zero(Currency::USD)).product_id),
            category_ids: random.several(2, |random| CategoryId(Uuid::from_u128(random.below(3) as u128))),
        },
        starts_at: random.maybe(20, moment),
        ends_at: random.maybe(20, moment),
        stacking: if random.chance(25) { Stacking::Exclusive } else { Stacking::Combinable },
        priority: random.below(3),
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn rules(random: &mut Random) -> Rules {
    Rules {
        at: DateTime::UNIX_EPOCH,
        tax_rates: random.several(6, tax_rate),
        zones: random.several(4, zone),
        promotions: random.several(6, promotion),
    }
}

fn cart(random: &mut Random, rules: &Rules) -> QuoteRequest {
    let currency = random.one(&currencies());
    let mut lines = Vec::new();
    for _ in 0..random.below(6) {
        let price = Money::new(random.amount(), currency);
        let mut new = line(random.below(5) as u128, random.below(6) + 1, price);
        new.category_id = random.maybe(50, |random| CategoryId(Uuid::from_u128(random.below(3) as u128)));
        new.weight = random.maybe(60, |random| random.below(2000));
        new.tax_category = random.maybe(50, |random| random.one(&["standard", "reduced"]).into());
        lines.push(new);
    }
    let methods: Vec<_> = rules.zones.iter().flat_map(|zone| &zone.methods).map(|method| method.id).collect();
    QuoteRequest {
        address: random.maybe(80, |random| Zone {
            country: random.one(&COUNTRIES).into(),
            state: random.maybe(50, |random| random.one(&STATES).into()),
        }),
        shipping_method: if methods.is_empty() { None } else { random.maybe(80, |random| random.one(&methods)) },
        coupons: random.several(3, |random| random.one(&["A", "B", "C", "D"]).into()),
        ..request(currency, lines)
    }
}

#[test]
fn a_hundred_thousand_random_carts_have_the_totals_of_another_program() {
    let seed = 0x5EED_u64;
    let mut random = Random(seed);
    let (mut discounted, mut shipped, mut taxed, mut contained) = (0, 0, 0, 0);
    for _ in 0..5000 {
        let rules = rules(&mut random);
        for _ in 0..20 {
            let request = cart(&mut random, &rules);
            let quote = quote(&rules, &request).unwrap();
            let numbers = Numbers::of(&quote);
            assert_eq!(numbers, reference::recompute(&rules, &request), "{rules:?}\n{request:?}");
            let sum: i64 = numbers.discounts.iter().map(|(_, amount)| amount).sum();
            assert_eq!((sum, quote.totals.total.amount >= 0), (numbers.discount, true));
            assert!(numbers.lines.iter().all(|(price, tax)| *price >= 0 && *tax >= 0));
            discounted += i32::from(numbers.discount > 0);
            shipped += i32::from(numbers.shipping > 0);
            taxed += i32::from(numbers.tax > Some(0));
            contained += i32::from(quote.tax_lines.iter().any(|line| line.inclusive && line.amount.amount > 0));
        }
    }
    // Each part was really compared.
    assert!([discounted, shipped, taxed, contained].iter().all(|count| *count > 5000));
}
