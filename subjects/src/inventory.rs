//! Stock: the units in stock, the units reserved for orders, and the ledger of every change.

use chrono::{DateTime, Utc};
use contract::{Access, Detail, DetailCode, command, domain_error, event, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use crate::{OrderId, PageRequest, Pagination, ProductId, VariantId, registry::MessageInfo, roles};

/// The domain's name.
pub const DOMAIN: &str = "inventory";

/// The maximum number of units in stock of a variant.
pub const MAX_ON_HAND: i64 = 1_000_000_000;
/// The maximum number of units of a line.
pub const MAX_UNITS: i64 = 10_000;
/// The maximum number of lines of an availability check.
pub const MAX_CHECKED: usize = 100;
/// The location of all stock: the shop has one.
pub const LOCATION: &str = "main";

/// The location, if a message does not name it.
fn location() -> String {
    LOCATION.to_owned()
}

/// The stock of a variant. `available = on_hand - reserved`.
/// The optional fields are returned to the product's seller and to admins only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Stock {
    pub variant_id: VariantId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub product_id: Option<ProductId>,
    pub sku: String,
    /// Always `main`.
    #[serde(default = "location")]
    pub location: String,
    /// Units in stock, reserved or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub on_hand: Option<i64>,
    /// Units reserved for orders that are not paid yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub reserved: Option<i64>,
    pub available: i64,
    /// At or below it, `inventory.low_stock` is emitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub min_stock: Option<i64>,
    /// Increases with every change of the stock; the `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub version: Option<i64>,
    pub updated_at: DateTime<Utc>,
}

impl Stock {
    /// The stock as the public sees it: what can be bought. Without a version, which would reveal the number of orders.
    pub fn into_public(self) -> Self {
        Self { on_hand: None, reserved: None, min_stock: None, version: None, ..self }
    }
}

/// Returns the stock of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetStock {
    pub variant_id: VariantId,
}
query!(GetStock, DOMAIN, "get_stock", Access::Public => Stock, InventoryError);

/// The stock of a product: the sums of its variants.
/// The optional fields are returned to the product's seller and to admins only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ProductStock {
    pub product_id: ProductId,
    /// Always `main`.
    #[serde(default = "location")]
    pub location: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub on_hand: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub reserved: Option<i64>,
    pub available: i64,
    /// The last change of the stock of a variant.
    pub updated_at: DateTime<Utc>,
    /// In the order of their ids.
    pub variants: Vec<Stock>,
}

/// Returns the stock of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetProductStock {
    pub product_id: ProductId,
}
query!(GetProductStock, DOMAIN, "get_product_stock", Access::Public => ProductStock, InventoryError);

/// A page of variants that are low on stock, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct LowStocks {
    pub data: Vec<Stock>,
    pub pagination: Pagination,
}

/// Lists the variants whose available units are at or below their minimum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListLowStock {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListLowStock, DOMAIN, "list_low_stock", roles::ADMINS => LowStocks, InventoryError);

/// A stock count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct StockCount {
    /// 0 to 1,000,000,000.
    pub on_hand: i64,
    /// 0 to 1,000,000,000. Unchanged if absent; null removes the minimum, as 0 does.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_with::rust::double_option")]
    #[cfg_attr(feature = "openapi", oai(nullable))]
    pub min_stock: Option<Option<i64>>,
}

/// Sets the units in stock, recorded as a movement. A value below the reserved quantity is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStock {
    pub variant_id: VariantId,
    pub count: StockCount,
    /// Rejected if the stock has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(SetStock, DOMAIN, "set_stock", roles::SELLERS => Stock, InventoryError, key = |c| Some(c.variant_id.0),
    sensitive = true, recorded = ["count.on_hand", "count.min_stock"]);

/// A variant and a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Units {
    pub variant_id: VariantId,
    /// 1 to 10,000.
    pub quantity: i64,
}

/// Checks whether the requested quantities can be bought now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct CheckAvailability {
    /// 1 to 100.
    pub items: Vec<Units>,
}
query!(CheckAvailability, DOMAIN, "check_availability", Access::Public => Availabilities, InventoryError);

/// The availability of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Availability {
    pub variant_id: VariantId,
    /// 0 for a variant that does not exist or is not for sale.
    pub available: i64,
    pub requested: i64,
    pub is_available: bool,
}

/// Availability, in the requested order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Availabilities {
    pub data: Vec<Availability>,
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Movement {
    pub variant_id: VariantId,
    /// Always `main`.
    #[serde(default = "location")]
    pub location: String,
    /// `received`, `counted`, `reserved`, `released`, `committed`, `returned` (the order was cancelled), `restocked`,
    /// or `opening` (the balance of older entries, which were trimmed).
    pub reason: String,
    /// The change of `on_hand`.
    pub on_hand_delta: i64,
    /// The change of `reserved`.
    pub reserved_delta: i64,
    /// The order that caused the movement.
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

/// Lists the ledger of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMovements {
    pub variant_id: VariantId,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListMovements, DOMAIN, "list_movements", roles::SELLERS => Movements, InventoryError);

/// The stock of a variant has changed. One event per commit and variant, whatever the number of causes in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockChanged {
    pub variant_id: VariantId,
    pub sku: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub available: i64,
}
event!(StockChanged, DOMAIN, "stock_changed", entity = |e| e.variant_id.0);

/// The available units of a variant fell to its minimum or below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowStock {
    pub variant_id: VariantId,
    pub sku: String,
    pub available: i64,
    pub min_stock: i64,
}
event!(LowStock, DOMAIN, "low_stock", entity = |e| e.variant_id.0);

/// The stock of all lines of an order is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    pub order_id: OrderId,
    pub items: Vec<Units>,
}
event!(Reserved, DOMAIN, "reserved", entity = |e| e.order_id.0);

/// A line that cannot be reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    pub variant_id: VariantId,
    pub requested: i64,
    pub available: i64,
}

/// No line of an order is reserved, because at least one of them cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRejected {
    pub order_id: OrderId,
    pub shortages: Vec<Shortage>,
}
event!(ReservationRejected, DOMAIN, "reservation_rejected", entity = |e| e.order_id.0);

/// The units reserved for an order are available again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub order_id: OrderId,
    pub items: Vec<Units>,
}
event!(Released, DOMAIN, "released", entity = |e| e.order_id.0);

/// The units reserved for an order are sold.
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
        ProductNotFound: NotFound "product_not_found" = "There is no such product.";
        InvalidStock { fields: Vec<Detail> }: Invalid "invalid_stock" =
            "Some fields of the stock are not valid." => fields.clone();
        InvalidItems { fields: Vec<Detail> }: Invalid "invalid_items" =
            "Some of the items are not valid." => fields.clone();
        BelowReserved { reserved: i64 }: Conflict "below_reserved" =
            "Stock cannot go below the reserved quantity."
            => vec![
                Detail::new("on_hand", DetailCode::Range, format!("{reserved} units are reserved"))
                    .with("min", *reserved),
            ];
        NotYourVariant: Forbidden "not_your_variant" = "The variant belongs to another seller.";
        StockVersionMismatch: PreconditionFailed "stock_version_mismatch" = "The stock was changed in the meantime.";
        InvalidCursor: Malformed "invalid_cursor" = "The cursor is not valid.";
    }
}

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::query::<GetStock>(),
        MessageInfo::query::<GetProductStock>(),
        MessageInfo::query::<ListLowStock>(),
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
