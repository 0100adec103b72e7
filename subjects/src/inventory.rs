//! Stock: what is on the shelf, what is held for orders, and the ledger of every change.

use chrono::{DateTime, Utc};
use contract::{Access, Detail, DetailCode, command, domain_error, event, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use crate::{OrderId, PageRequest, Pagination, VariantId, registry::MessageInfo, roles};

/// The domain's name.
pub const DOMAIN: &str = "inventory";

/// The most units a shelf holds.
pub const MAX_ON_HAND: i64 = 1_000_000_000;
/// The most units of one line.
pub const MAX_UNITS: i64 = 10_000;
/// The most lines that are checked at once.
pub const MAX_CHECKED: usize = 100;

/// The stock of a variant. `available = on_hand - reserved`.
/// What is optional is shown to the product's seller and to admins only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Stock {
    pub variant_id: VariantId,
    pub sku: String,
    /// On the shelf, held or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub on_hand: Option<i64>,
    /// Held for orders that are not paid yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub reserved: Option<i64>,
    pub available: i64,
    /// Below it, `inventory.low_stock` is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub min_stock: Option<i64>,
    /// Counts the stock's changes; the `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub version: Option<i64>,
    pub updated_at: DateTime<Utc>,
}

/// The stock of one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetStock {
    pub variant_id: VariantId,
}
query!(GetStock, DOMAIN, "get_stock", Access::Public => Stock, InventoryError);

/// A counted shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct StockCount {
    /// 0 to 1,000,000,000.
    pub on_hand: i64,
    /// 0 to 1,000,000,000. Stays where absent; null takes the minimum away, as 0 does.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub min_stock: Option<Option<i64>>,
}

/// Sets what is on the shelf; written as a movement. Below what is reserved it is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStock {
    pub variant_id: VariantId,
    pub count: StockCount,
    /// Refused when the stock has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(SetStock, DOMAIN, "set_stock", roles::SELLERS => Stock, InventoryError, key = |c| Some(c.variant_id.0),
    sensitive = true);

/// So many units of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Units {
    pub variant_id: VariantId,
    /// 1 to 10,000.
    pub quantity: i64,
}

/// Whether so many units can be bought now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct CheckAvailability {
    /// 1 to 100.
    pub items: Vec<Units>,
}
query!(CheckAvailability, DOMAIN, "check_availability", Access::Public => Availabilities, InventoryError);

/// What can be bought of one variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Availability {
    pub variant_id: VariantId,
    /// 0 for a variant that is not known, or not for sale.
    pub available: i64,
    pub requested: i64,
    pub is_available: bool,
}

/// What can be had, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Availabilities {
    pub data: Vec<Availability>,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Movement {
    pub variant_id: VariantId,
    /// `received`, `counted`, `reserved`, `released`, `committed`, `returned` (the order was cancelled) or `restocked`.
    pub reason: String,
    /// Change of `on_hand`.
    pub on_hand_delta: i64,
    /// Change of `reserved`.
    pub reserved_delta: i64,
    /// The order that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub order_id: Option<OrderId>,
    pub at: DateTime<Utc>,
}

/// A page of the ledger, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Movements {
    pub data: Vec<Movement>,
    pub pagination: Pagination,
}

/// The ledger of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMovements {
    pub variant_id: VariantId,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListMovements, DOMAIN, "list_movements", roles::SELLERS => Movements, InventoryError);

/// A variant's stock is another. One event per commit and variant, whatever the number of causes in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChanged {
    pub variant_id: VariantId,
    pub sku: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub available: i64,
}
event!(StockChanged, DOMAIN, "stock_changed", entity = |e| e.variant_id.0);

/// A variant's available units fell to its minimum or below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowStock {
    pub variant_id: VariantId,
    pub sku: String,
    pub available: i64,
    pub min_stock: i64,
}
event!(LowStock, DOMAIN, "low_stock", entity = |e| e.variant_id.0);

/// All lines of an order are held for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    pub order_id: OrderId,
    pub items: Vec<Units>,
}
event!(Reserved, DOMAIN, "reserved", entity = |e| e.order_id.0);

/// A line that cannot be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    pub variant_id: VariantId,
    pub requested: i64,
    pub available: i64,
}

/// No line of an order is held, because one of them cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRejected {
    pub order_id: OrderId,
    pub shortages: Vec<Shortage>,
}
event!(ReservationRejected, DOMAIN, "reservation_rejected", entity = |e| e.order_id.0);

/// The units held for an order can be had again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub order_id: OrderId,
    pub items: Vec<Units>,
}
event!(Released, DOMAIN, "released", entity = |e| e.order_id.0);

/// The units held for an order are sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    pub order_id: OrderId,
    pub items: Vec<Units>,
}
event!(Committed, DOMAIN, "committed", entity = |e| e.order_id.0);

domain_error! {
    /// The errors of inventory.
    pub enum InventoryError {
        VariantNotFound: NotFound "variant_not_found" = "There is no such variant.";
        InvalidStock { fields: Vec<Detail> }: Invalid "invalid_stock" =
            "The stock cannot be set to these values." => fields.clone();
        InvalidItems { fields: Vec<Detail> }: Invalid "invalid_items" =
            "The availability of these lines cannot be checked." => fields.clone();
        BelowReserved { reserved: i64 }: Conflict "below_reserved" =
            "So few units cannot be on the shelf: more are reserved."
            => vec![
                Detail::new("on_hand", DetailCode::Range, format!("{reserved} units are reserved"))
                    .with("min", *reserved),
            ];
        NotYourVariant: Forbidden "not_your_variant" = "The variant belongs to another seller.";
        StockVersionMismatch: PreconditionFailed "stock_version_mismatch" = "The stock was changed meanwhile.";
        InvalidCursor: Malformed "invalid_cursor" = "The cursor is not one of ours.";
    }
}

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::query::<GetStock>(),
        MessageInfo::command::<SetStock>(),
        MessageInfo::query::<CheckAvailability>(),
        MessageInfo::query::<ListMovements>(),
        MessageInfo::event::<StockChanged>(),
        MessageInfo::event::<LowStock>(),
        MessageInfo::event::<Reserved>(),
        MessageInfo::event::<ReservationRejected>(),
        MessageInfo::event::<Released>(),
        MessageInfo::event::<Committed>(),
    ]
}
