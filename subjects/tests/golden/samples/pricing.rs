use subjects::{
    Currency, Money, PromotionId, ShippingMethodId, ShippingZoneId, TaxRateId,
    pricing::{
        ChangePromotion, ChangeShippingZone, ChangeTaxRate, Conditions, CreatePromotion, CreateShippingZone,
        CreateTaxRate, DOMAIN, DeletePromotion, DeleteShippingZone, DeleteTaxRate, Deleted, Discount, Estimate,
        GetPromotion, GetQuotes, GetShippingZone, GetTaxRate, LineShare, ListPromotions, ListShippingZones,
        ListTaxRates, NewPromotion, NewShippingMethod, NewShippingZone, NewTaxRate, PricingError, Problem, ProblemCode,
        Promotion, PromotionChanges, Promotions, Quote, QuoteLine, QuoteRequest, Quotes, Reward, RewardKind, RuleKind,
        RuleVersion, ShippingKind, ShippingMethod, ShippingOption, ShippingRate, ShippingTier, ShippingZone,
        ShippingZoneChanges, ShippingZones, Stacking, TaxLine, TaxRate, TaxRateChanges, TaxRates, Zone,
    },
};

use super::{category_id, changed, fields, id, made, page, pagination, product_id, text, usd, variant_id};
use crate::goldens::Goldens;

fn tax_rate_id() -> TaxRateId {
    TaxRateId(id(0x90))
}

fn zone_id() -> ShippingZoneId {
    ShippingZoneId(id(0x91))
}

fn method_id() -> ShippingMethodId {
    ShippingMethodId(id(0x92))
}

fn promotion_id() -> PromotionId {
    PromotionId(id(0x93))
}

fn tax_rate() -> TaxRate {
    TaxRate {
        id: tax_rate_id(),
        country: "US".into(),
        state: text("IL"),
        name: "Sales tax".into(),
        rate: 62_500,
        inclusive: false,
        tax_category: "standard".into(),
        version: 2,
        created_at: made(),
        updated_at: changed(),
    }
}

fn rate() -> ShippingRate {
    ShippingRate {
        price: usd(700),
        tiers: vec![ShippingTier { from_weight: Some(5000), from_subtotal: Some(usd(5000)), price: usd(1200) }],
        free_above: Some(usd(10_000)),
    }
}

fn method() -> ShippingMethod {
    ShippingMethod { id: method_id(), name: "Parcel".into(), kind: ShippingKind::ByWeight, rates: vec![rate()] }
}

fn zone() -> ShippingZone {
    ShippingZone {
        id: zone_id(),
        name: "Domestic".into(),
        countries: vec!["US".into()],
        methods: vec![method()],
        version: 2,
        created_at: made(),
        updated_at: changed(),
    }
}

fn new_method() -> NewShippingMethod {
    NewShippingMethod {
        id: Some(method_id()),
        name: "Parcel".into(),
        kind: ShippingKind::ByWeight,
        rates: vec![rate()],
    }
}

fn reward() -> Reward {
    Reward {
        kind: RewardKind::BuyXGetY,
        rate: Some(500_000),
        amounts: Some(vec![usd(500)]),
        buy: Some(2),
        get: Some(1),
    }
}

fn conditions() -> Conditions {
    Conditions {
        minimum_subtotals: vec![usd(5000)],
        variant_ids: vec![variant_id()],
        product_ids: vec![product_id()],
        category_ids: vec![category_id()],
    }
}

fn promotion() -> Promotion {
    Promotion {
        id: promotion_id(),
        name: "Three for two and a half".into(),
        code: text("LINEN"),
        is_active: true,
        reward: reward(),
        conditions: conditions(),
        starts_at: Some(made()),
        ends_at: Some(changed()),
        stacking: Stacking::Exclusive,
        priority: 10,
        version: 2,
        created_at: made(),
        updated_at: changed(),
    }
}

fn promotion_changes() -> PromotionChanges {
    PromotionChanges {
        name: text("Three for two and a half"),
        code: Some(text("LINEN")),
        is_active: Some(true),
        reward: Some(reward()),
        conditions: Some(Some(conditions())),
        starts_at: Some(Some(made())),
        ends_at: Some(Some(changed())),
        stacking: Some(Stacking::Exclusive),
        priority: Some(10),
    }
}

fn request() -> QuoteRequest {
    let line = QuoteLine {
        variant_id: variant_id(),
        product_id: product_id(),
        category_id: Some(category_id()),
        quantity: 2,
        unit_price: usd(4999),
        weight: Some(250),
        tax_category: text("standard"),
    };
    QuoteRequest {
        currency: Currency::USD,
        lines: vec![line],
        address: Some(Zone { country: "US".into(), state: text("IL") }),
        shipping_method: Some(method_id()),
        coupons: vec!["linen".into()],
    }
}

pub fn tax_line() -> TaxLine {
    TaxLine { name: "Sales tax".into(), rate: 62_500, inclusive: false, base: usd(9498), amount: usd(594) }
}

pub fn discount() -> Discount {
    Discount {
        promotion_id: promotion_id(),
        name: "Three for two and a half".into(),
        code: text("LINEN"),
        amount: usd(500),
        free_shipping: false,
    }
}

pub fn option() -> ShippingOption {
    ShippingOption { id: method_id(), name: "Parcel".into(), price: usd(700) }
}

pub fn problem() -> Problem {
    Problem { code: ProblemCode::UnknownCoupon, coupon: text("linnen") }
}

pub fn estimate() -> Estimate {
    let total = Money::new(10_792, Currency::USD);
    Estimate { subtotal: usd(9998), discount: usd(500), shipping: usd(700), tax: Some(usd(594)), total }
}

fn quote() -> Quote {
    Quote {
        totals: estimate(),
        lines: vec![LineShare { price: usd(9498), tax: usd(594) }],
        tax_lines: vec![tax_line()],
        discounts: vec![discount()],
        shipping_options: vec![option()],
        shipping: Some(option()),
        rules: vec![RuleVersion { kind: RuleKind::TaxRate, id: tax_rate_id().0, version: 2 }],
        problems: vec![problem()],
    }
}

pub fn add(goldens: &mut Goldens) {
    let expected_version = Some(1);
    goldens.query(&ListTaxRates { page: page() }, &TaxRates { data: vec![tax_rate()], pagination: pagination() });
    goldens.query(&GetTaxRate { id: tax_rate_id() }, &tax_rate());
    let new = NewTaxRate {
        country: "US".into(),
        state: text("IL"),
        name: "Sales tax".into(),
        rate: 62_500,
        inclusive: Some(false),
        tax_category: text("standard"),
    };
    goldens.command(&CreateTaxRate { tax_rate: new }, &tax_rate());
    let changes = TaxRateChanges {
        country: text("US"),
        state: Some(text("IL")),
        name: text("Sales tax"),
        rate: Some(62_500),
        inclusive: Some(false),
        tax_category: text("standard"),
    };
    goldens.command(&ChangeTaxRate { id: tax_rate_id(), changes, expected_version }, &tax_rate());
    goldens.command(&DeleteTaxRate { id: tax_rate_id(), expected_version }, &Deleted {});

    let zones = ShippingZones { data: vec![zone()], pagination: pagination() };
    goldens.query(&ListShippingZones { page: page() }, &zones);
    goldens.query(&GetShippingZone { id: zone_id() }, &zone());
    let (name, countries, methods) = ("Domestic".to_owned(), vec!["US".to_owned()], vec![new_method()]);
    let new = NewShippingZone { name: name.clone(), countries: countries.clone(), methods: methods.clone() };
    goldens.command(&CreateShippingZone { zone: new }, &zone());
    let changes = ShippingZoneChanges { name: Some(name), countries: Some(countries), methods: Some(methods) };
    goldens.command(&ChangeShippingZone { id: zone_id(), changes, expected_version }, &zone());
    goldens.command(&DeleteShippingZone { id: zone_id(), expected_version }, &Deleted {});

    let promotions = Promotions { data: vec![promotion()], pagination: pagination() };
    goldens.query(&ListPromotions { page: page() }, &promotions);
    goldens.query(&GetPromotion { id: promotion_id() }, &promotion());
    let new = NewPromotion {
        name: "Three for two and a half".into(),
        code: text("linen"),
        is_active: Some(true),
        reward: reward(),
        conditions: Some(conditions()),
        starts_at: Some(made()),
        ends_at: Some(changed()),
        stacking: Some(Stacking::Exclusive),
        priority: Some(10),
    };
    goldens.command(&CreatePromotion { promotion: new }, &promotion());
    let change = ChangePromotion { id: promotion_id(), changes: promotion_changes(), expected_version };
    goldens.command(&change, &promotion());
    goldens.command(&DeletePromotion { id: promotion_id(), expected_version }, &Deleted {});

    goldens.query(&GetQuotes { requests: vec![request()] }, &Quotes { quotes: vec![quote()] });

    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<PricingError> {
    vec![
        PricingError::TaxRateNotFound,
        PricingError::ShippingZoneNotFound,
        PricingError::PromotionNotFound,
        PricingError::InvalidTaxRate { fields: fields() },
        PricingError::InvalidShippingZone { fields: fields() },
        PricingError::InvalidPromotion { fields: fields() },
        PricingError::TaxRateExists,
        PricingError::CodeTaken,
        PricingError::TooMany { limit: 1000 },
        PricingError::TaxRateVersionMismatch,
        PricingError::ShippingZoneVersionMismatch,
        PricingError::PromotionVersionMismatch,
        PricingError::InvalidQuote,
        PricingError::InvalidCursor,
    ]
}
