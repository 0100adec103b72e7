//! A running shop and people who use it.

mod people;
mod process;

pub use people::{Answer, Person};
pub use process::{Shop, shared_shop, wait_until};

/// A body of an order that ships to somewhere real enough.
pub fn address() -> serde_json::Value {
    serde_json::json!({"street": "1 Main St", "city": "Springfield", "zip_code": "12345", "country": "US"})
}
