use subjects::payments::{
    ActInSandbox, ActionRequired, CreateIntent, DOMAIN, Dispute, DisputeLost, DisputeWon, Disputed, GetAction,
    GetConfig, GetPayment, GetPaymentOfOrder, GetPendingRefund, Intent, IntentCreated, NewIntent, NewRefund,
    NextAction, Payment, PaymentAction, PaymentCancelled, PaymentConfig, PaymentFailed, PaymentsError, PendingAction,
    PendingRefund, ReadAgain, ReadingRequested, ReceiveWebhook, Refund, RefundFailed, RefundItem, RefundPayment,
    Refunded, SandboxAction, Succeeded, VerifyPayment, WebhookReceipt,
};

use super::{
    changed, fields, item_id, made, order_id,
    orders::{NUMBER, failure},
    payment_id, refund_id, text, usd,
};
use crate::goldens::Goldens;

fn refund_items() -> Vec<RefundItem> {
    vec![RefundItem { line_id: item_id(), quantity: 1 }]
}

fn dispute() -> Dispute {
    Dispute { id: "dp_1".into(), status: "open".into(), amount: usd(1000), reason: text("fraudulent") }
}

fn refund() -> Refund {
    Refund {
        id: refund_id(),
        status: "succeeded".into(),
        amount: usd(1000),
        reason: text("One was broken."),
        failure: Some(failure()),
        items: refund_items(),
        restock: true,
        created_at: made(),
    }
}

fn payment() -> Payment {
    Payment {
        id: payment_id(),
        order_id: order_id(),
        order_number: NUMBER.into(),
        status: "partially_refunded".into(),
        amount: usd(11_148),
        provider: "simulated".into(),
        provider_transaction_id: text("pi_1"),
        payment_method: text("pm_card_visa"),
        failure: Some(failure()),
        refunds: vec![refund()],
        disputes: vec![dispute()],
        created_at: made(),
        updated_at: changed(),
    }
}

pub fn payment_action() -> PaymentAction {
    let next_action = NextAction { kind: "redirect_to_url".into(), redirect_url: text("https://bank.example/confirm") };
    PaymentAction { client_secret: "pi_1_secret".into(), next_action }
}

fn requests(goldens: &mut Goldens) {
    let config = PaymentConfig { provider: "simulated".into(), publishable_key: "pk_simulated".into() };
    goldens.query(&GetConfig {}, &config);
    let intent = Intent {
        id: payment_id(),
        order_id: order_id(),
        order_number: NUMBER.into(),
        client_secret: "pi_1_secret".into(),
        publishable_key: "pk_simulated".into(),
        amount: usd(11_148),
        status: "pending".into(),
    };
    goldens.command(&CreateIntent { intent: NewIntent { order_id: Some(order_id()), order_number: None } }, &intent);
    goldens.query(&GetPayment { payment_id: payment_id() }, &payment());
    goldens.query(&GetPaymentOfOrder { order_id: order_id().into() }, &payment());
    let pending = PendingAction { action: Some(payment_action()) };
    goldens.query(&GetAction { order_id: order_id() }, &pending);
    goldens.query(&GetPendingRefund { order_id: order_id() }, &PendingRefund { is_full: true });
    let reason = text("One was broken.");
    let new_refund = NewRefund { amount: Some(usd(1000)), items: Some(refund_items()), restock: Some(true), reason };
    goldens.command(&RefundPayment { payment_id: payment_id(), refund: new_refund }, &refund());
    goldens.command(&VerifyPayment { payment_id: payment_id() }, &payment());
    let webhook = ReceiveWebhook {
        provider: "stripe".into(),
        signature: "t=1767323045,v1=5f2b".into(),
        body: r#"{"id":"evt_1"}"#.into(),
    };
    goldens.command(&webhook, &WebhookReceipt { received: true });
    goldens.command(&ReadAgain { payment_id: payment_id() }, &ReadingRequested { has_object: true });
    goldens.command(&ActInSandbox { intent: "pi_1".into(), action: SandboxAction::Confirm }, &payment());
}

fn events(goldens: &mut Goldens) {
    let (payment_id, order_id, refund_id) = (payment_id(), order_id(), refund_id());
    goldens.event(&IntentCreated { payment_id, order_id, amount: usd(11_148) });
    goldens.event(&ActionRequired { payment_id, order_id });
    goldens.event(&Succeeded { payment_id, order_id, amount: usd(11_148) });
    goldens.event(&PaymentFailed { payment_id, order_id, failure: failure() });
    goldens.event(&PaymentCancelled { payment_id, order_id });
    goldens.event(&Refunded {
        payment_id,
        order_id,
        refund_id,
        amount: usd(1000),
        total_refunded: usd(1000),
        is_full: false,
        items: refund_items(),
        restock: true,
    });
    let (failure, total_returned) = (failure(), Some(usd(0)));
    goldens.event(&RefundFailed { payment_id, order_id, refund_id, failure, total_returned, is_full: true });
    let (dispute_id, amount) = ("dp_1".to_owned(), usd(1000));
    let reason = text("fraudulent");
    goldens.event(&Disputed { payment_id, order_id, dispute_id: dispute_id.clone(), amount, reason });
    goldens.event(&DisputeWon { payment_id, order_id, dispute_id: dispute_id.clone(), amount });
    let total_returned = usd(1000);
    goldens.event(&DisputeLost { payment_id, order_id, dispute_id, amount, total_returned, is_full: false });
}

pub fn add(goldens: &mut Goldens) {
    requests(goldens);
    events(goldens);
    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<PaymentsError> {
    vec![
        PaymentsError::PaymentNotFound,
        PaymentsError::OrderNotFound,
        PaymentsError::InvalidIntent { fields: fields() },
        PaymentsError::NotPayable { status: "cancelled".into() },
        PaymentsError::RefundTooLarge { left: usd(500) },
        PaymentsError::ReturnTooLarge { line_id: item_id(), left: 1 },
        PaymentsError::NotRefundable { status: "pending".into() },
        PaymentsError::InvalidRefund { fields: fields() },
        PaymentsError::NotASandbox,
        PaymentsError::InvalidSignature,
        PaymentsError::UnknownProvider,
    ]
}
