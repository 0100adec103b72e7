//! Why payments refuses.

use contract::{Detail, ErrorKind, Refusal};
use serde::{Deserialize, Serialize};

use crate::{ItemId, Money};

/// Why payments refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum PaymentsError {
    #[error("There is no such payment.")]
    PaymentNotFound,
    #[error("There is no such order.")]
    OrderNotFound,
    #[error("The intent cannot be made with these fields.")]
    InvalidIntent { fields: Vec<(String, String)> },
    #[error("The order cannot be paid.")]
    NotPayable { status: String },
    #[error("More than what is left cannot go back.")]
    RefundTooLarge { left: Money },
    #[error("More units than were sold cannot be returned.")]
    ReturnTooLarge { line_id: ItemId, left: i64 },
    #[error("The payment's status does not allow this.")]
    NotRefundable { status: String },
    #[error("The refund cannot be made with these fields.")]
    InvalidRefund { fields: Vec<(String, String)> },
    #[error("Only payments of the simulated provider can be acted upon.")]
    NotASandbox,
    #[error("The signature is wrong or too old.")]
    InvalidSignature,
    #[error("There is no such payment provider here.")]
    UnknownProvider,
}

impl Refusal for PaymentsError {
    fn code(&self) -> &'static str {
        match self {
            Self::PaymentNotFound => "payment_not_found",
            Self::OrderNotFound => "order_not_found",
            Self::InvalidIntent { .. } => "invalid_intent",
            Self::NotPayable { .. } => "not_payable",
            Self::RefundTooLarge { .. } => "refund_too_large",
            Self::ReturnTooLarge { .. } => "return_too_large",
            Self::NotRefundable { .. } => "not_refundable",
            Self::InvalidRefund { .. } => "invalid_refund",
            Self::NotASandbox => "not_a_sandbox",
            Self::InvalidSignature => "invalid_signature",
            Self::UnknownProvider => "unknown_provider",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::PaymentNotFound | Self::OrderNotFound | Self::NotASandbox | Self::UnknownProvider => {
                ErrorKind::NotFound
            }
            Self::InvalidSignature => ErrorKind::Malformed,
            Self::NotPayable { .. }
            | Self::RefundTooLarge { .. }
            | Self::ReturnTooLarge { .. }
            | Self::NotRefundable { .. } => ErrorKind::Conflict,
            Self::InvalidIntent { .. } | Self::InvalidRefund { .. } => ErrorKind::Invalid,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::InvalidIntent { fields } | Self::InvalidRefund { fields } => {
                fields.iter().map(|(f, m)| Detail::new(f, m)).collect()
            }
            Self::NotPayable { status } | Self::NotRefundable { status } => {
                vec![Detail::new("status", format!("it is {status}"))]
            }
            Self::RefundTooLarge { left } => {
                vec![Detail::new("amount", format!("{} {} are left", left.amount, left.currency))]
            }
            Self::ReturnTooLarge { line_id, left } => {
                vec![Detail::new("items", format!("{left} units of line {line_id} are left"))]
            }
            _ => Vec::new(),
        }
    }
}
