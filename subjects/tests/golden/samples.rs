//! A sample of every message, with every optional field filled in. Ids and times are fixed: the samples are bytes.

mod carts;
mod catalog;
mod identity;
mod inventory;
mod operations;
mod orders;
mod payments;
mod pricing;

use chrono::{DateTime, Utc};
use contract::{Detail, DomainError, ErrorBody};
use subjects::{
    Address, CartId, CategoryId, Currency, ItemId, Money, OrderId, PageRequest, Pagination, PaymentId, ProductId,
    RefundId, UserId, VariantId,
};
use uuid::Uuid;

use crate::goldens::Goldens;

/// Adds all of them.
pub fn add_all(goldens: &mut Goldens) {
    identity::add(goldens);
    catalog::add(goldens);
    inventory::add(goldens);
    pricing::add(goldens);
    carts::add(goldens);
    orders::add(goldens);
    payments::add(goldens);
    operations::add(goldens);
}

/// The codes of every domain's errors, as their types list them.
pub fn domain_error_codes() -> Vec<(&'static str, Vec<String>)> {
    vec![
        (subjects::identity::DOMAIN, codes_of::<subjects::identity::IdentityError>()),
        (subjects::catalog::DOMAIN, codes_of::<subjects::catalog::CatalogError>()),
        (subjects::inventory::DOMAIN, codes_of::<subjects::inventory::InventoryError>()),
        (subjects::pricing::DOMAIN, codes_of::<subjects::pricing::PricingError>()),
        (subjects::carts::DOMAIN, codes_of::<subjects::carts::CartsError>()),
        (subjects::orders::DOMAIN, codes_of::<subjects::orders::OrdersError>()),
        (subjects::payments::DOMAIN, codes_of::<subjects::payments::PaymentsError>()),
        (subjects::operations::DOMAIN, codes_of::<subjects::operations::OperationsError>()),
    ]
}

/// Every error of every domain, as it travels.
pub fn domain_errors() -> Vec<(&'static str, Vec<ErrorBody>)> {
    vec![
        bodies(subjects::identity::DOMAIN, &identity::errors()),
        bodies(subjects::catalog::DOMAIN, &catalog::errors()),
        bodies(subjects::inventory::DOMAIN, &inventory::errors()),
        bodies(subjects::pricing::DOMAIN, &pricing::errors()),
        bodies(subjects::carts::DOMAIN, &carts::errors()),
        bodies(subjects::orders::DOMAIN, &orders::errors()),
        bodies(subjects::payments::DOMAIN, &payments::errors()),
        bodies(subjects::operations::DOMAIN, &operations::errors()),
    ]
}

/// The id of the request in every error body.
pub const REQUEST_ID: &str = "0198f000-0000-7000-8000-0000000000ff";

fn bodies<E: DomainError>(domain: &'static str, errors: &[E]) -> (&'static str, Vec<ErrorBody>) {
    (domain, errors.iter().map(|error| ErrorBody::of_domain_error(error, domain, REQUEST_ID)).collect())
}

/// serde names every variant when it meets one that it does not know.
fn codes_of<E: DomainError>() -> Vec<String> {
    let error = serde_json::from_value::<E>(serde_json::json!({ "code": "?" })).err().unwrap().to_string();
    let (_, expected) = error.split_once("expected").unwrap();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn id(place: u8) -> Uuid {
    Uuid::from_u128(0x0198_f000_0000_7000_8000_0000_0000_0000 | u128::from(place))
}

fn buyer_id() -> UserId {
    UserId(id(0x01))
}

fn seller_id() -> UserId {
    UserId(id(0x02))
}

fn category_id() -> CategoryId {
    CategoryId(id(0x10))
}

fn product_id() -> ProductId {
    ProductId(id(0x20))
}

fn variant_id() -> VariantId {
    VariantId(id(0x30))
}

fn cart_id() -> CartId {
    CartId(id(0x40))
}

fn item_id() -> ItemId {
    ItemId(id(0x50))
}

fn order_id() -> OrderId {
    OrderId(id(0x60))
}

fn payment_id() -> PaymentId {
    PaymentId(id(0x70))
}

fn refund_id() -> RefundId {
    RefundId(id(0x80))
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn made() -> DateTime<Utc> {
    at("2026-01-02T03:04:05.678901Z")
}

fn changed() -> DateTime<Utc> {
    at("2026-01-03T10:00:00Z")
}

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::USD)
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The wrong fields of an error.
pub fn fields() -> Vec<Detail> {
    vec![Detail::range("items[0].quantity", 1, 10_000)]
}

fn page() -> PageRequest {
    PageRequest { limit: Some(20), offset: Some(40), cursor: text("AZjwAAAAcACAAAAAAAAAYA") }
}

fn pagination() -> Pagination {
    let (next_cursor, prev_cursor) = (text("AZjwAAAAcACAAAAAAAAAYA"), text("AZjwAAAAcACAAAAAAAAAYB"));
    Pagination { limit: 20, offset: 40, total: 57, is_total_exact: true, next_cursor, prev_cursor }
}

fn address() -> Address {
    Address {
        first_name: text("Ada"),
        last_name: text("Moreau"),
        street: "1 Main Street".into(),
        street2: text("Third floor"),
        city: "Springfield".into(),
        state: text("IL"),
        zip_code: "62704".into(),
        country: "US".into(),
        phone: text("+1 217 555 0100"),
    }
}
