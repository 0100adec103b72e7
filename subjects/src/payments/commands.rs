//! What can be done to a payment.

use contract::{Access, Answer, command};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Intent, Payment, PaymentsError, Refund};
use crate::{ItemId, Money, OrderId, PaymentId, orders::OrderRef, roles};

/// Which order is to be paid: by its id or by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewIntent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<String>,
}

impl NewIntent {
    /// The order, where exactly one of the two names it.
    pub fn order(&self) -> Option<OrderRef> {
        match (self.order_id, &self.order_number) {
            (Some(id), None) => Some(id.into()),
            (None, Some(number)) => Some(number.as_str().into()),
            _ => None,
        }
    }
}

/// Opens the payment of an order, so that the buyer's browser can confirm it. The same order gives the same intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateIntent {
    pub intent: NewIntent,
}
command!(CreateIntent, DOMAIN, "create_intent", roles::SIGNED_IN_AND_GUEST => Intent, PaymentsError,
    key = |c| c.intent.order().map(|order| order.key()), answer = Answer::Secret);

/// So many units of an order's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct RefundItem {
    pub line_id: ItemId,
    /// 1 to what was ordered.
    pub quantity: i64,
}

/// How much goes back, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewRefund {
    /// Where absent, the price of `items`; without them all that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The lines that it is for, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<RefundItem>>,
    /// The units of `items`, or of the whole order, are available again. What was not shipped is so after a refund of
    /// everything in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restock: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Gives money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPayment {
    pub payment_id: PaymentId,
    pub refund: NewRefund,
}
command!(RefundPayment, DOMAIN, "refund", roles::ADMINS => Refund, PaymentsError, key = |c| Some(c.payment_id.0),
    sensitive = true);

/// Reads the payment at the provider and takes over what it says: for whoever waits for a webhook that does not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyPayment {
    pub payment_id: PaymentId,
}
command!(VerifyPayment, DOMAIN, "verify", roles::SIGNED_IN_AND_GUEST => Payment, PaymentsError,
    key = |c| Some(c.payment_id.0));

/// A message of the provider, as it came. Only its signature lets it in, and what it says of a payment is not believed:
/// the payment is read at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveWebhook {
    /// By name, as in [`PaymentConfig`](super::PaymentConfig).
    pub provider: String,
    /// The header in which the provider signs.
    pub signature: String,
    /// Byte by byte what was signed.
    pub body: String,
}
command!(ReceiveWebhook, DOMAIN, "receive_webhook", Access::Public => WebhookReceipt, PaymentsError, key = |_| None);

/// The provider need not send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct WebhookReceipt {
    /// Always true.
    pub received: bool,
}

/// A day after its beginning a payment is read at the provider once more: by then it has forgotten every key, so nothing
/// that was on its way can still change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadAgain {
    pub payment_id: PaymentId,
}
command!(ReadAgain, DOMAIN, "read_again", Access::Internal => ReadingAsked, PaymentsError,
    key = |c| Some(c.payment_id.0));

/// Whether the provider has an object for the payment: it is asked about that one, unless it was already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingAsked {
    pub has_object: bool,
}

/// What a test does to an open payment of the simulated provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum SandboxAction {
    /// The buyer pays.
    Confirm,
    /// The card is declined.
    Decline,
    /// The buyer pays with a card whose issuer wants a confirmation.
    RequireAuthentication,
    /// The buyer gives that confirmation.
    Authenticate,
    /// The buyer does not.
    FailAuthentication,
}

/// Plays the buyer's part with the simulated provider. Refused by every other provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActInSandbox {
    /// The provider's id of the payment, or the payment's own id.
    pub intent: String,
    pub action: SandboxAction,
}
command!(ActInSandbox, DOMAIN, "act_in_sandbox", Access::Public => Payment, PaymentsError, key = |_| None);
