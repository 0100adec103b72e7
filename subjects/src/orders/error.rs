//! Why orders refuses.

use contract::{Detail, DetailCode, ErrorKind, Refusal};
use serde::{Deserialize, Serialize};

use super::OrderStatus;
use crate::{Money, OrderId, VariantId, carts::Totals};

/// Why orders refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum OrdersError {
    #[error("There is no such order.")]
    OrderNotFound,
    #[error("The order cannot be placed with these fields.")]
    InvalidOrder { fields: Vec<Detail> },
    #[error("There is nothing in the cart.")]
    CartEmpty,
    #[error("There is no such cart.")]
    CartNotFound,
    #[error("An order made from this cart is not decided yet, or was confirmed with the cart unchanged.")]
    CartInCheckout { order_id: OrderId, order_number: String },
    #[error("There is no such product to buy.")]
    NotForSale { variant_id: VariantId },
    #[error("So many units cannot be had.")]
    OutOfStock { variant_id: VariantId, available: i64 },
    #[error("The total has changed. The details have the new totals.")]
    TotalChanged { totals: Totals },
    #[error("The order's status does not allow this.")]
    IllegalTransition { status: OrderStatus },
    #[error("All money of the order is on its way back.")]
    RefundPending,
    #[error("The order holds lines of other sellers.")]
    NotYourOrder,
    #[error("The order was changed meanwhile.")]
    OrderVersionMismatch,
    #[error("The cursor is not one of ours.")]
    InvalidCursor,
}

impl Refusal for OrdersError {
    fn code(&self) -> &'static str {
        match self {
            Self::OrderNotFound => "order_not_found",
            Self::InvalidOrder { .. } => "invalid_order",
            Self::CartEmpty => "cart_empty",
            Self::CartNotFound => "cart_not_found",
            Self::CartInCheckout { .. } => "cart_in_checkout",
            Self::NotForSale { .. } => "not_for_sale",
            Self::OutOfStock { .. } => "out_of_stock",
            Self::TotalChanged { .. } => "total_changed",
            Self::IllegalTransition { .. } => "illegal_transition",
            Self::RefundPending => "refund_pending",
            Self::NotYourOrder => "not_your_order",
            Self::OrderVersionMismatch => "order_version_mismatch",
            Self::InvalidCursor => "invalid_cursor",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::OrderNotFound | Self::CartNotFound | Self::NotForSale { .. } => ErrorKind::NotFound,
            Self::InvalidOrder { .. } => ErrorKind::Invalid,
            Self::CartEmpty
            | Self::CartInCheckout { .. }
            | Self::OutOfStock { .. }
            | Self::TotalChanged { .. }
            | Self::IllegalTransition { .. }
            | Self::RefundPending => ErrorKind::Conflict,
            Self::NotYourOrder => ErrorKind::Forbidden,
            Self::OrderVersionMismatch => ErrorKind::PreconditionFailed,
            Self::InvalidCursor => ErrorKind::Malformed,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::InvalidOrder { fields } => fields.clone(),
            Self::CartInCheckout { order_id, order_number } => {
                vec![Detail::value("order_id", &order_id.to_string()), Detail::value("order_number", order_number)]
            }
            Self::NotForSale { variant_id } => vec![Detail::value("variant_id", &variant_id.to_string())],
            Self::OutOfStock { variant_id, available } => vec![
                Detail::value("variant_id", &variant_id.to_string()),
                Detail::new("quantity", DetailCode::Range, format!("{available} units are available"))
                    .with("max", *available),
            ],
            Self::TotalChanged { totals } => total_details(totals),
            Self::IllegalTransition { status } => {
                vec![Detail::state("status", status.word(), format!("the order is {}", status.word()))]
            }
            _ => Vec::new(),
        }
    }
}

/// Every sum by its path in the order, as programs read it.
fn total_details(totals: &Totals) -> Vec<Detail> {
    let Totals { subtotal, discount, shipping, tax, total } = totals;
    let sums = [("subtotal", subtotal), ("discount", discount), ("shipping", shipping), ("tax", tax), ("total", total)];
    let detail = |(name, money): (&str, &Money)| {
        [
            Detail::value(format!("totals.{name}.amount"), &money.amount),
            Detail::value(format!("totals.{name}.currency"), &money.currency.code()),
        ]
    };
    sums.into_iter().flat_map(detail).collect()
}
