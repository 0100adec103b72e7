//! Converts the provider's JSON to the types of [`Provider`](super::Provider).

use runtime::InternalError;
use serde_json::Value;
use subjects::{orders::Failure, payments::NextAction};
use uuid::Uuid;

use super::super::{About, Decline, SeenDispute, SeenRefund};
use super::{Charged, Notice, ObjectStatus, ProviderObject, RefundOutcome, units};
use crate::machine::{Dispute, DisputeState};

/// The status of an object.
pub(super) fn status(value: &Value) -> ObjectStatus {
    match value["status"].as_str() {
        Some("succeeded") => ObjectStatus::Succeeded,
        Some("canceled") => ObjectStatus::Cancelled,
        Some("processing") => ObjectStatus::Processing,
        Some("requires_action") => ObjectStatus::ActionRequired,
        // It requires a payment method or a confirm, or the status is unknown: it can still be cancelled.
        _ => ObjectStatus::Open,
    }
}

/// Reads a payment intent.
pub(super) fn object(value: &Value) -> Result<ProviderObject, InternalError> {
    let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    match (text("id"), text("client_secret")) {
        (Some(id), Some(client_secret)) => {
            let (next_action, decline) = (next_action(value), decline(value));
            let object = ProviderObject::new(id, status(value), charged(value)?, client_secret);
            Ok(ProviderObject { next_action, decline, ..object })
        }
        _ => Err(InternalError::other("the provider's reply is not a payment intent")),
    }
}

/// The action that the buyer has to take, if the object requires one.
fn next_action(value: &Value) -> Option<NextAction> {
    let action = &value["next_action"];
    let redirect_url = action["redirect_to_url"]["url"].as_str().map(str::to_owned);
    let kind = action["type"].as_str().unwrap_or("use_stripe_sdk").to_owned();
    (status(value) == ObjectStatus::ActionRequired).then_some(NextAction { kind, redirect_url })
}

/// The buyer's last attempt, if it was declined. Its charge identifies it. An attempt without a charge, such as a
/// failed authentication, is identified by its payment method or error code, and by `latest_charge`, the charge of an
/// attempt before it.
fn decline(value: &Value) -> Option<Decline> {
    let error = &value["last_payment_error"];
    if value["status"] != "requires_payment_method" || !error.is_object() {
        return None;
    }
    let attempt = match error["charge"].as_str() {
        Some(charge) => charge.to_owned(),
        None => {
            let method = [&error["payment_method"]["id"], &error["code"]].into_iter().find_map(Value::as_str);
            let parts: Vec<_> = value["latest_charge"].as_str().into_iter().chain(method).collect();
            (!parts.is_empty()).then(|| parts.join(" "))?
        }
    };
    Some(Decline { attempt: attempt.chars().take(255).collect(), failure: reason(error) })
}

/// The amount of an object: the received amount if it has succeeded.
pub(super) fn charged(value: &Value) -> Result<Charged, InternalError> {
    let received = value["amount_received"].as_i64().filter(|_| status(value) == ObjectStatus::Succeeded);
    let named = received.or_else(|| value["amount"].as_i64()).zip(value["currency"].as_str());
    match named.and_then(|(amount, currency)| Some((units::received(amount, currency)?, currency))) {
        Some((amount, currency)) => Ok(Charged { amount, currency: currency.to_owned() }),
        None => Err(InternalError::other("the provider's reply has no amount")),
    }
}

/// The object of a payment among the results of a search. Others belong to other payments.
pub(super) fn of_payment(found: &Value, key: Uuid) -> Option<&Value> {
    let key = key.to_string();
    found["data"].as_array()?.iter().find(|one| one["metadata"]["payment_id"].as_str() == Some(&key))
}

/// The result of a refund. A pending one counts as succeeded; if it fails later, it is reversed.
pub(super) fn refund(value: &Value) -> Result<RefundOutcome, InternalError> {
    let id = value["id"].as_str().ok_or_else(|| InternalError::other("the provider's reply is not a refund"))?;
    Ok(match value["status"].as_str() {
        Some("failed" | "canceled") => {
            let code = value["failure_reason"].as_str().unwrap_or("refund_failed");
            RefundOutcome::Failed(Failure { code: code.into(), message: "The refund failed.".into() })
        }
        _ => RefundOutcome::Succeeded { refund_id: id.to_owned() },
    })
}

/// The current state of a refund.
pub(super) fn seen_refund(value: &Value) -> Result<SeenRefund, InternalError> {
    let id =
        value["id"].as_str().ok_or_else(|| InternalError::other("the provider's reply is not a refund"))?.to_owned();
    let failure = match refund(value)? {
        RefundOutcome::Failed(failure) => Some(failure),
        RefundOutcome::Succeeded { .. } => None,
    };
    Ok(SeenRefund { id, failure })
}

/// The current state of a dispute. `None` for an inquiry (`warning_...`), which moves no money.
pub(super) fn seen_dispute(value: &Value) -> Option<SeenDispute> {
    let state = match value["status"].as_str()? {
        "needs_response" | "under_review" => DisputeState::Open,
        "won" => DisputeState::Won,
        "lost" => DisputeState::Lost,
        _ => return None,
    };
    let id = value["id"].as_str().filter(|id| id.len() <= 255)?.to_owned();
    let reason = value["reason"].as_str().map(|reason| reason.chars().take(100).collect());
    let amount = units::disputed(value["amount"].as_i64()?, value["currency"].as_str().unwrap_or_default())?;
    Some(SeenDispute { id, dispute: Dispute { amount, reason, state } })
}

/// The reason of a rejected request.
pub(super) fn failure(body: &Value) -> Failure {
    reason(&body["error"])
}

/// The reason in an error object. The bank's decline code takes precedence over the provider's code.
pub(super) fn reason(error: &Value) -> Failure {
    let word = |field: &str| error[field].as_str().filter(|word| !word.is_empty());
    let of_bank = word("decline_code").filter(|word| *word != "generic_decline");
    let code = of_bank.or_else(|| word("code")).or_else(|| word("type")).unwrap_or("payment_failed");
    let message = word("message").unwrap_or("The payment was declined.");
    Failure { code: code.into(), message: message.into() }
}

/// Reads a notice whose signature is valid: the payment intent that it concerns, directly or through another object.
pub(super) fn notice(body: &str) -> Notice {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let about = &event["data"]["object"];
    let (object, about) = match about["object"].as_str() {
        Some("payment_intent") => (about["id"].as_str(), About::Object),
        Some("refund") => (about["payment_intent"].as_str(), About::Refunds),
        Some("dispute") => (about["payment_intent"].as_str(), About::Disputes),
        _ => (about["payment_intent"].as_str(), About::Object),
    };
    let short = |text: &&str| text.len() <= 255 && !text.contains('\0');
    // Notices without a usable id cannot be distinguished: all of them count as one.
    let id = event["id"].as_str().filter(short).unwrap_or("-");
    Notice { id: id.to_owned(), object: object.filter(short).map(str::to_owned), about }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_banks_word_comes_before_the_providers() {
        let error = |error: Value| failure(&json!({ "error": error })).code;
        assert_eq!(error(json!({"code": "card_declined", "decline_code": "insufficient_funds"})), "insufficient_funds");
        assert_eq!(error(json!({"code": "card_declined", "decline_code": "generic_decline"})), "card_declined");
        assert_eq!(error(json!({"type": "invalid_request_error"})), "invalid_request_error");
        assert_eq!(error(json!("nonsense")), "payment_failed");
    }

    #[test]
    fn a_notice_names_the_intent_whatever_it_is_about() {
        let of = |object: Value| notice(&json!({"id": "evt_1", "data": {"object": object}}).to_string()).object;
        assert_eq!(of(json!({"object": "payment_intent", "id": "pi_1"})).as_deref(), Some("pi_1"));
        assert_eq!(of(json!({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"})).as_deref(), Some("pi_1"));
        assert_eq!(of(json!({"object": "customer", "id": "cus_1"})), None);
        let refund = json!({"object": "refund", "id": "re_1", "payment_intent": "pi_1"});
        assert_eq!(of(refund).as_deref(), Some("pi_1"));
        assert_eq!(notice("not JSON"), Notice { id: "-".into(), object: None, about: About::Object });
    }

    #[test]
    fn a_dispute_has_three_ends_and_an_inquiry_is_none() {
        let seen = |status: &str| {
            let value = json!({"id": "dp_1", "amount": 100, "reason": "fraudulent", "status": status});
            seen_dispute(&value).map(|seen| seen.dispute.state)
        };
        assert_eq!(seen("needs_response"), Some(DisputeState::Open));
        assert_eq!(seen("under_review"), Some(DisputeState::Open));
        assert_eq!((seen("won"), seen("lost")), (Some(DisputeState::Won), Some(DisputeState::Lost)));
        assert_eq!((seen("warning_needs_response"), seen("warning_closed")), (None, None));
    }

    #[test]
    fn a_search_gives_the_payments_own_object_or_none() {
        let key = Uuid::from_u128(7);
        let one = |id: &str, payment: String| json!({"id": id, "metadata": {"payment_id": payment}});
        let foreign = one("pi_1", Uuid::nil().to_string());
        let found = json!({"data": [foreign, {"id": "pi_2"}, one("pi_3", key.to_string())]});
        assert_eq!(of_payment(&found, key).map(|found| &found["id"]), Some(&json!("pi_3")));
        assert_eq!(of_payment(&json!({"data": [foreign]}), key), None);
        assert_eq!(of_payment(&json!({}), key), None);
    }

    #[test]
    fn what_came_counts_where_money_came() {
        let came = |value: Value| charged(&value).map(|came| came.amount).ok();
        let object = |status: &str| json!({"status": status, "amount": 100, "amount_received": 60, "currency": "usd"});
        assert_eq!((came(object("succeeded")), came(object("requires_action"))), (Some(60), Some(100)));
        assert_eq!(came(json!({"status": "succeeded", "amount": 100, "currency": "usd"})), Some(100));
        assert_eq!(came(json!({"status": "succeeded", "amount": 100})), None);
        assert_eq!(came(json!({"status": "succeeded", "amount": 500, "currency": "isk"})), Some(5));
    }

    #[test]
    fn declines_are_distinguished_by_their_charges() {
        let open = |error: Value| {
            let value =
                json!({"status": "requires_payment_method", "last_payment_error": error, "latest_charge": null});
            decline(&value).map(|decline| (decline.attempt, decline.failure.code))
        };
        let of = |attempt: &str, code: &str| Some((attempt.to_owned(), code.to_owned()));
        assert_eq!(open(json!({"charge": "ch_1", "code": "card_declined"})), of("ch_1", "card_declined"));
        let rejected = json!({"code": "payment_intent_authentication_failure", "payment_method": {"id": "pm_1"}});
        assert_eq!(open(rejected), of("pm_1", "payment_intent_authentication_failure"));
        assert_eq!(open(json!(null)), None);
        assert_eq!(decline(&json!({"status": "requires_action", "last_payment_error": {"code": "x"}})), None);
    }

    #[test]
    fn a_failed_authentication_after_a_declined_charge_is_another_attempt() {
        let attempt = |error: Value| {
            let value =
                json!({"status": "requires_payment_method", "last_payment_error": error, "latest_charge": "ch_1"});
            decline(&value).map(|decline| decline.attempt)
        };
        let first = attempt(json!({"charge": "ch_1", "code": "card_declined", "payment_method": {"id": "pm_1"}}));
        assert_eq!(first.as_deref(), Some("ch_1"));
        let code = "payment_intent_authentication_failure";
        let second = attempt(json!({"code": code, "payment_method": {"id": "pm_2"}}));
        assert_eq!(second.as_deref(), Some("ch_1 pm_2"));
        assert_eq!(attempt(json!({})).as_deref(), Some("ch_1"), "a server that names the charge only there");
    }

    /// The error of the first charge stays in the intent.
    #[test]
    fn a_second_charge_that_succeeds_counts_and_the_first_does_not() {
        let value = json!({"id": "pi_1", "client_secret": "s", "status": "succeeded", "amount": 100,
            "amount_received": 100, "currency": "usd", "latest_charge": "ch_2",
            "last_payment_error": {"charge": "ch_1", "code": "card_declined"}});
        let seen = object(&value).unwrap();
        assert_eq!((seen.status, seen.charged.amount, seen.decline), (ObjectStatus::Succeeded, 100, None));
    }

    #[test]
    fn what_the_buyer_has_to_do_is_read() {
        let url = json!({"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example"}});
        let seen = next_action(&json!({"status": "requires_action", "next_action": url})).unwrap();
        assert_eq!(
            (seen.kind.as_str(), seen.redirect_url.as_deref()),
            ("redirect_to_url", Some("https://bank.example"))
        );
        assert_eq!(next_action(&json!({"status": "succeeded", "next_action": null})), None);
    }

    #[test]
    fn what_is_not_known_of_an_object_can_still_be_cancelled() {
        assert_eq!(status(&json!({"status": "requires_confirmation"})), ObjectStatus::Open);
        assert_eq!(status(&json!({"status": "succeeded"})), ObjectStatus::Succeeded);
        assert!(object(&json!({"id": "pi_1"})).is_err());
    }
}
