//! Requests and replies, in Stripe's terms.

use std::collections::BTreeMap;

use poem::http::Method;
use serde_json::{Map, Value, json};

use crate::methods::Manner;

/// A parsed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    CreateIntent,
    FindIntents,
    GetIntent(String),
    UpdateIntent(String),
    Confirm(String),
    Cancel(String),
    /// The buyer's confirmation of the charge at the card issuer, or its failure.
    Authenticate {
        intent: String,
        succeeds: bool,
    },
    CreateRefund,
    GetRefund(String),
    ListRefunds,
    GetDispute(String),
    ListDisputes,
    /// The shop's evidence in a dispute, which decides it.
    AnswerDispute(String),
    /// The shop's acceptance of a dispute as lost.
    CloseDispute(String),
}

impl Operation {
    /// Parses a request; `None` if the API does not have it.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let is_post = method == Method::POST;
        Some(match (is_post, segments.as_slice()) {
            (true, ["v1", "payment_intents"]) => Self::CreateIntent,
            (false, ["v1", "payment_intents", "search"]) => Self::FindIntents,
            (false, ["v1", "payment_intents", id]) => Self::GetIntent((*id).to_owned()),
            (true, ["v1", "payment_intents", id]) => Self::UpdateIntent((*id).to_owned()),
            (true, ["v1", "payment_intents", id, "confirm"]) => Self::Confirm((*id).to_owned()),
            (true, ["v1", "payment_intents", id, "cancel"]) => Self::Cancel((*id).to_owned()),
            (true, ["v1", "test_helpers", "payment_intents", id, word @ ("authenticate" | "fail_authentication")]) => {
                Self::Authenticate { intent: (*id).to_owned(), succeeds: *word == "authenticate" }
            }
            (true, ["v1", "refunds"]) => Self::CreateRefund,
            (false, ["v1", "refunds"]) => Self::ListRefunds,
            (false, ["v1", "refunds", id]) => Self::GetRefund((*id).to_owned()),
            (false, ["v1", "disputes"]) => Self::ListDisputes,
            (false, ["v1", "disputes", id]) => Self::GetDispute((*id).to_owned()),
            (true, ["v1", "disputes", id]) => Self::AnswerDispute((*id).to_owned()),
            (true, ["v1", "disputes", id, "close"]) => Self::CloseDispute((*id).to_owned()),
            _ => return None,
        })
    }
}

/// The fields of a form or a query string.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) BTreeMap<String, String>);

impl Fields {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// Collects `metadata[name]=value` fields.
    pub(crate) fn metadata(&self) -> Value {
        let field = |(name, value): (&String, &String)| {
            let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), Value::String(value.clone())))
        };
        Value::Object(self.0.iter().filter_map(field).collect::<Map<_, _>>())
    }
}

/// A reply, and how to deliver it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) manner: Manner,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, body, manner: Manner::Plain }
    }

    pub(crate) fn manner(self, manner: Manner) -> Self {
        match manner {
            Manner::Failing => Self { manner, ..Self::error(500, "api_error", "api_error", "Something went wrong.") },
            Manner::Denying => {
                Self { manner, ..Self::invalid("charge_already_refunded", "The charge has already been refunded.") }
            }
            manner => Self { manner, ..self },
        }
    }

    pub(crate) fn error(status: u16, kind: &str, code: &str, message: &str) -> Self {
        let error = json!({"error": {"type": kind, "code": code, "message": message}});
        Self { status, body: error, manner: Manner::Plain }
    }

    pub(crate) fn invalid(code: &str, message: &str) -> Self {
        Self::error(400, "invalid_request_error", code, message)
    }

    pub(crate) fn missing(what: &str) -> Self {
        Self::error(404, "invalid_request_error", "resource_missing", &format!("No such {what}."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_distinguished_by_method_and_path() {
        let of = |method: Method, path: &str| Operation::of(&method, path);
        assert_eq!(of(Method::POST, "/v1/payment_intents"), Some(Operation::CreateIntent));
        assert_eq!(of(Method::GET, "/v1/payment_intents/search"), Some(Operation::FindIntents));
        assert_eq!(of(Method::POST, "/v1/payment_intents/pi_1/confirm"), Some(Operation::Confirm("pi_1".into())));
        assert_eq!(of(Method::GET, "/v1/charges"), None);
    }
}
