//! Orders: from placing to delivery, cancellation or refund.

mod commands;
mod error;
mod events;
mod model;
mod queries;
mod reference;
mod status;

use crate::registry::MessageInfo;

pub use commands::{
    CancelOrder, Cancellation, ExpiryRequested, NewOrder, PaymentChoice, PlaceOrder, RequestExpiry, SetStatus,
    StatusChange,
};
pub use error::OrdersError;
pub use events::{
    Cancelled, Confirmed, Delivered, Expired, ExpiryDue, Failed, LineFact, PaymentDue, Placed, RefundDue, Returned,
    Shipped, StatusChanged, leaves_undecided,
};
pub use model::{Failure, History, HistoryEntry, Order, OrderItem, Orders};
pub use queries::{GetHistory, GetLines, GetOrder, GetPayable, Line, Lines, ListOrders, Payable};
pub use reference::OrderRef;
pub use status::{FulfillmentStatus, OrderStatus, PaymentStatus};

/// The domain's name.
pub const DOMAIN: &str = "orders";

/// The maximum number of lines in an order.
pub const MAX_LINES: usize = 100;
/// The maximum number of units in a line.
pub const MAX_QUANTITY: i64 = 10_000;

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::command::<PlaceOrder>(),
        MessageInfo::query::<GetOrder>(),
        MessageInfo::query::<ListOrders>(),
        MessageInfo::query::<GetHistory>(),
        MessageInfo::command::<CancelOrder>(),
        MessageInfo::command::<SetStatus>(),
        MessageInfo::command::<RequestExpiry>(),
        MessageInfo::query::<GetPayable>(),
        MessageInfo::query::<GetLines>(),
        MessageInfo::event::<Placed>(),
        MessageInfo::event::<PaymentDue>(),
        MessageInfo::event::<Confirmed>(),
        MessageInfo::event::<Failed>(),
        MessageInfo::event::<Cancelled>(),
        MessageInfo::event::<ExpiryDue>(),
        MessageInfo::event::<Expired>(),
        MessageInfo::event::<RefundDue>(),
        MessageInfo::event::<StatusChanged>(),
        MessageInfo::event::<Returned>(),
        MessageInfo::event::<Shipped>(),
        MessageInfo::event::<Delivered>(),
    ]
}
