//! Why payments refuses.

use contract::{Detail, DetailCode, ErrorKind, Refusal};
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
    InvalidIntent { fields: Vec<Detail> },
    #[error("The order cannot be paid.")]
    NotPayable { status: String },
    #[error("More than what is left cannot go back.")]
    RefundTooLarge { left: Money },
    #[error("More units than were sold cannot be returned.")]
    ReturnTooLarge { line_id: ItemId, left: i64 },
    #[error("The payment's status does not allow this.")]
    NotRefundable { status: String },
    #[error("The refund cannot be made with these fields.")]
    InvalidRefund { fields: Vec<Detail> },
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
            Self::InvalidIntent { fields } | Self::InvalidRefund { fields } => fields.clone(),
            Self::NotPayable { status } | Self::NotRefundable { status } => {
                vec![Detail::state("status", status, format!("it is {status}"))]
            }
            Self::RefundTooLarge { left } => {
                let message = format!("{} {} are left", left.amount, left.currency);
                let detail = Detail::new("amount", DetailCode::Range, message);
                vec![detail.with("max", left.amount).with("currency", left.currency.code())]
            }
            Self::ReturnTooLarge { line_id, left } => {
                let message = format!("{left} units of line {line_id} are left");
                vec![Detail::new("items", DetailCode::Range, message).with("max", *left)]
            }
            _ => Vec::new(),
        }
    }
}
