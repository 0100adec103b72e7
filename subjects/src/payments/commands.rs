//! The commands on payments.

use contract::{Access, Answer, command};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Intent, Payment, PaymentsError, Refund};
use crate::{ItemId, Money, OrderId, PaymentId, orders::OrderRef, roles};

/// The order to pay, by its id or by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewIntent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
}

impl NewIntent {
    /// The order, if exactly one of the two is given.
    pub fn order(&self) -> Option<OrderRef> {
        match (self.order_id, &self.order_number) {
            (Some(id), None) => Some(id.into()),
            (None, Some(number)) => Some(number.as_str().into()),
            _ => None,
        }
    }
}

/// Creates the payment intent of an order, so that the buyer's browser can confirm it. An order has one intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateIntent {
    pub intent: NewIntent,
}
command!(CreateIntent, DOMAIN, "create_intent", roles::SIGNED_IN_AND_GUEST => Intent, PaymentsError,
    key = |c| c.intent.order().map(|order| order.key()), answer = Answer::Secret);

/// A line of an order and a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct RefundItem {
    pub line_id: ItemId,
    /// 1 to the ordered quantity.
    pub quantity: i64,
}

/// The amount to refund, and the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewRefund {
    /// By default the price of `items`; without `items`, the remaining amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The lines to refund, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<RefundItem>>,
    /// Whether the units of `items`, or of the whole order, become available again. After a full refund, units that
    /// were not shipped always do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restock: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Refunds a payment, in full or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPayment {
    pub payment_id: PaymentId,
    pub refund: NewRefund,
}
command!(RefundPayment, DOMAIN, "refund", roles::ADMINS => Refund, PaymentsError, key = |c| Some(c.payment_id.0),
    sensitive = true, recorded = ["refund.amount", "refund.items"]);

/// Reads the payment at the provider and applies its status: for a client whose webhook does not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyPayment {
    pub payment_id: PaymentId,
}
command!(VerifyPayment, DOMAIN, "verify", roles::SIGNED_IN_AND_GUEST => Payment, PaymentsError,
    key = |c| Some(c.payment_id.0));

/// Receives a message of the provider. Only its signature is checked; its content is not trusted: the payment is read
/// at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveWebhook {
    /// The name of the provider, as in [`PaymentConfig`](super::PaymentConfig).
    pub provider: String,
    /// The signature header of the provider.
    pub signature: String,
    /// The signed body, byte by byte.
    pub body: String,
}
command!(ReceiveWebhook, DOMAIN, "receive_webhook", Access::Public => WebhookReceipt, PaymentsError, key = |_| None);

/// Confirms that the message was received: the provider need not send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct WebhookReceipt {
    /// Always true.
    pub received: bool,
}

/// Reads a payment at the provider again a day after it began: by then its idempotency keys have expired, so no request
/// in flight can still change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadAgain {
    pub payment_id: PaymentId,
}
command!(ReadAgain, DOMAIN, "read_again", Access::Internal => ReadingRequested, PaymentsError,
    key = |c| Some(c.payment_id.0));

/// Whether the provider has an object for the payment: it is read, unless it was already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingRequested {
    pub has_object: bool,
}

/// A test action on an open payment of the simulated provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum SandboxAction {
    /// The buyer pays.
    Confirm,
    /// The card is declined.
    Decline,
    /// The buyer pays with a card whose issuer requires authentication.
    RequireAuthentication,
    /// The buyer authenticates.
    Authenticate,
    /// The buyer fails to authenticate.
    FailAuthentication,
}

/// Acts as the buyer at the simulated provider. Other providers reject it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActInSandbox {
    /// The provider's id of the payment, or the payment's own id.
    pub intent: String,
    pub action: SandboxAction,
}
command!(ActInSandbox, DOMAIN, "act_in_sandbox", Access::Public => Payment, PaymentsError, key = |_| None);
