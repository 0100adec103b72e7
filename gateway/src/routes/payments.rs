//! Payments and refunds.

use poem_openapi::{
    OpenApi,
    param::{Header, Path},
};
use subjects::{
    PaymentId,
    payments::{
        ActInSandbox, CreateIntent, GetConfig, GetPayment, GetPaymentOfOrder, Intent, NewIntent, NewRefund, Payment,
        PaymentConfig, ReceiveWebhook, Refund, RefundPayment, SandboxAction, VerifyPayment, WebhookReceipt,
    },
};

use crate::http::{
    body::{Body, OptionalBody},
    caller::{Anyone, Caller},
    header::{Key, RequiredKey},
    raw_body::RawBody,
    reply::{Answer, Reply},
    tag::{BASE, Tag},
};

/// The routes of payments.
pub(crate) struct PaymentsApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Payments")]
impl PaymentsApi {
    /// Get the payment provider and its publishable key
    #[oai(path = "/payments/config", method = "get", operation_id = "payment_config")]
    async fn payment_config(&self, caller: Caller<GetConfig>) -> Answer<PaymentConfig> {
        Ok(Reply::new(&caller.ask(&GetConfig {}).await?)?.public_unless(caller.is_signed_in()))
    }

    /// Create the payment of an order
    #[oai(path = "/payments/intents", method = "post", operation_id = "create_intent")]
    async fn create_intent(
        &self,
        caller: Caller<CreateIntent>,
        #[oai(name = "Idempotency-Key")] key: RequiredKey,
        body: Body<NewIntent>,
    ) -> Answer<Intent, 201> {
        let answer = caller.send(&CreateIntent { intent: body.0 }, key).await?;
        let path = format!("{BASE}/payments/{}", answer.reply.id);
        Ok(Reply::new(&answer.reply)?.at(&path).replayed(answer.replayed))
    }

    /// Get a payment
    #[oai(path = "/payments/:id", method = "get", operation_id = "get_payment")]
    async fn get_payment(&self, caller: Caller<GetPayment>, id: Path<PaymentId>) -> Answer<Payment> {
        Reply::new(&caller.ask(&GetPayment { payment_id: id.0 }).await?)
    }

    /// Get the payment of an order by its id or number
    #[oai(path = "/payments/order/:order_id", method = "get", operation_id = "get_payment_of_order")]
    async fn get_payment_of_order(&self, caller: Caller<GetPaymentOfOrder>, order_id: Path<String>) -> Answer<Payment> {
        let query = GetPaymentOfOrder { order_id: order_id.as_str().into() };
        Reply::new(&caller.ask(&query).await?)
    }

    /// Verify a payment
    ///
    /// Reads it at the provider, for a client that waits for the result of the provider.
    #[oai(path = "/payments/:id/verify", method = "post", operation_id = "verify_payment")]
    async fn verify_payment(
        &self,
        caller: Caller<VerifyPayment>,
        id: Path<PaymentId>,
        #[oai(name = "Idempotency-Key")] key: Key,
    ) -> Answer<Payment> {
        let command = VerifyPayment { payment_id: id.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::new(&answer.reply)?.replayed(answer.replayed))
    }

    /// Receive a webhook of the payment provider
    ///
    /// Authenticated by its signature; 400 if it is wrong or more than five minutes old. The contents are not trusted:
    /// the payment is read at the provider.
    #[oai(path = "/webhooks/payments/:provider", method = "post", operation_id = "receive_webhook")]
    async fn receive_webhook(
        &self,
        caller: Anyone,
        provider: Path<String>,
        #[oai(name = "Stripe-Signature")] signature: Header<Option<String>>,
        body: RawBody,
    ) -> Answer<WebhookReceipt> {
        let signature = signature.0.unwrap_or_default();
        let answer = caller.send(&ReceiveWebhook { provider: provider.0, signature, body: body.0 }, None).await?;
        Reply::new(&answer.reply)
    }

    /// Refund a payment
    ///
    /// Refunds all that is left if neither amount nor lines are given. A full refund returns the units of an order that
    /// was not shipped; `restock` returns those of the named lines, or of the whole order.
    #[oai(path = "/payments/:id/refunds", method = "post", operation_id = "refund_payment")]
    async fn refund_payment(
        &self,
        caller: Caller<RefundPayment>,
        id: Path<PaymentId>,
        #[oai(name = "Idempotency-Key")] key: RequiredKey,
        body: OptionalBody<NewRefund>,
    ) -> Answer<Refund, 201> {
        let answer = caller.send(&RefundPayment { payment_id: id.0, refund: body.0 }, key).await?;
        let path = format!("{BASE}/payments/{}", id.0);
        Ok(Reply::new(&answer.reply)?.at(&path).replayed(answer.replayed))
    }
}

/// The buyer's actions, performed by a test.
pub(crate) struct SandboxApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Sandbox")]
impl SandboxApi {
    /// Act as the buyer at the simulated provider
    ///
    /// `confirm` and `decline` try a card; `require_authentication` tries one whose issuer requires the buyer's
    /// confirmation, which `authenticate` and `fail_authentication` give or deny. Only in a local stack.
    #[oai(path = "/sandbox/payments/:intent/:action", method = "post", operation_id = "act_in_sandbox")]
    async fn act_in_sandbox(
        &self,
        caller: Caller<ActInSandbox>,
        /// The provider's id of the payment, or the payment's own id.
        intent: Path<String>,
        action: Path<SandboxAction>,
        #[oai(name = "Idempotency-Key")] key: Key,
    ) -> Answer<Payment> {
        let answer = caller.send(&ActInSandbox { intent: intent.0, action: action.0 }, key).await?;
        Ok(Reply::new(&answer.reply)?.replayed(answer.replayed))
    }
}
