//! The errors of payments.

use contract::{Detail, DetailCode, domain_error};

use crate::{ItemId, Money};

domain_error! {
    /// The errors of payments.
    pub enum PaymentsError {
        PaymentNotFound: NotFound "payment_not_found" = "There is no such payment.";
        OrderNotFound: NotFound "order_not_found" = "There is no such order.";
        InvalidIntent { fields: Vec<Detail> }: Invalid "invalid_intent" =
            "Some fields of the payment intent are not valid." => fields.clone();
        NotPayable { status: String }: Conflict "not_payable" = "The order cannot be paid."
            => vec![Detail::state("status", status, format!("it is {status}"))];
        RefundTooLarge { left: Money }: Conflict "refund_too_large" = "The refund exceeds the remaining amount."
            => vec![
                Detail::new("amount", DetailCode::Range, format!("{} {} are left", left.amount, left.currency))
                    .with("max", left.amount)
                    .with("unit", left.currency.code()),
            ];
        ReturnTooLarge { line_id: ItemId, left: i64 }: Conflict "return_too_large" =
            "The return exceeds the units sold."
            => vec![
                Detail::new("items", DetailCode::Range, format!("{left} units of line {line_id} are left"))
                    .with("max", *left),
            ];
        NotRefundable { status: String }: Conflict "not_refundable" = "The payment's status does not allow this."
            => vec![Detail::state("status", status, format!("it is {status}"))];
        InvalidRefund { fields: Vec<Detail> }: Invalid "invalid_refund" =
            "Some fields of the refund are not valid." => fields.clone();
        NotASandbox: NotFound "not_a_sandbox" = "Only payments of the simulated provider support this.";
        InvalidSignature: Malformed "invalid_signature" = "The signature is wrong or too old.";
        UnknownProvider: NotFound "unknown_provider" = "There is no such payment provider.";
    }
}
