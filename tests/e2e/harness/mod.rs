//! A running shop and people who use it.

mod apart;
mod beside;
mod buying;
mod check;
mod cluster;
mod connection;
mod events;
mod gateways;
pub mod nats_cli;
mod output;
mod people;
mod process;
pub mod programs;
pub mod provider;
mod restorable;
mod secured;
mod servers;
mod shop;
mod tools;

pub use apart::Apart;
pub use beside::Beside;
pub use buying::Buying;
pub use check::Checked;
pub use cluster::Cluster;
pub use connection::{Connection, Received};
pub use events::Events;
pub use gateways::Gateways;
pub use people::{Answer, Person};
pub use process::NO_FILE;
pub use restorable::{Restorable, copy};
pub use secured::{Authority, Secured};
pub use servers::send_signal;
pub use shop::{PASSWORD, Shared, Shop, shared_shop, wait_until};

/// The body of an order of one unit, charged at once by a card that is good.
pub fn paid_order(variant: &str) -> serde_json::Value {
    serde_json::json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}})
}

/// A body of an order that ships to somewhere real enough.
pub fn address() -> serde_json::Value {
    serde_json::json!({"street": "1 Main St", "city": "Springfield", "zip_code": "12345", "country": "US"})
}
