//! Sends one request to the provider and interprets the response: done, rejected, or outcome unknown.

use std::{
    fmt,
    time::{Duration, Instant},
};

use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use runtime::{CircuitBreaker, InternalError};
use serde_json::Value;
use subjects::orders::Failure;

use super::{answers::failure, config::StripeConfig};

/// The API version that the responses are read as. Sent with every request, as the account's default may differ.
const VERSION: &str = "2024-06-20";

/// Maximum size of a response body, in bytes.
const LIMIT: usize = 4 * 1024 * 1024;

/// The meaning of a response. Any other response is an error, and the request is retried with the same key.
#[derive(Debug)]
pub(super) enum Said {
    /// The request succeeded.
    Done(Value),
    /// The provider rejected the request for good.
    Rejected { status: u16, failure: Failure },
    /// A failure that is stored under the key, and replayed for as long as the provider stores the key.
    Stored,
}

/// The HTTP client of the provider.
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    /// Closed as long as the provider answers, whatever it answers to single requests.
    breaker: CircuitBreaker,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Omits the client, which holds the API key.
        f.debug_struct("Http").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Http {
    pub(super) fn new(config: &StripeConfig) -> Result<Self, String> {
        let base = config.base.trim_end_matches('/').to_owned();
        let url = Url::parse(&base).map_err(|error| format!("{base:?} is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || !url.username().is_empty() {
            return Err(format!("{base:?} is not a plain http or https URL"));
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", config.secret_key.text()))
            .map_err(|_| "the secret key has characters that a header cannot contain")?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (reqwest::header::HeaderName::from_static("stripe-version"), HeaderValue::from_static(VERSION)),
        ]);
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("souk/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(3).min(config.timeout))
            .timeout(config.timeout)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, base, breaker: CircuitBreaker::new(super::NAME) })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Said, InternalError> {
        self.send(self.client.request(Method::GET, format!("{}{path}", self.base)), path).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        form: &[(&str, String)],
        key: Option<&str>,
    ) -> Result<Said, InternalError> {
        let request = self.client.post(format!("{}{path}", self.base)).form(form);
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        self.send(request, path).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, path: &str) -> Result<Said, InternalError> {
        // The query is not logged: it holds ids.
        let path = path.split('?').next().unwrap_or_default();
        if !self.breaker.admits() {
            return Err(InternalError::Unanswered(format!("{path}: not called, because the last calls failed")));
        }
        let began = Instant::now();
        let unknown = |reason: &dyn fmt::Display| {
            tracing::warn!(path, reason = %reason, "payment provider did not answer");
            InternalError::Unanswered(format!("{path}: {reason}"))
        };
        // No other server answers in its place, so a timeout counts like a refused connection.
        let lost = |error: reqwest::Error| {
            self.breaker.failed();
            unknown(&Causes(&error.without_url()))
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let is_replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            text.extend_from_slice(&chunk);
            if text.len() > LIMIT {
                return Err(unknown(&"the response is too large"));
            }
        }
        if is_away(status, is_replayed) {
            self.breaker.failed();
        } else {
            self.breaker.succeeded();
        }
        let latency_ms = began.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(path, status, latency_ms, "payment provider answered");
        let body: Option<Value> = serde_json::from_slice(&text).ok();
        meaning(status, is_replayed, body).ok_or_else(|| unknown(&format_args!("status {status}")))
    }
}

/// Whether a status says that the provider, or a proxy before it, does not serve requests at the moment. A stored
/// failure is about one request only.
fn is_away(status: u16, is_replayed: bool) -> bool {
    status == 429 || (status >= 500 && !is_replayed)
}

/// Interprets a response. `None` if it says nothing about the payment: invalid API keys, a rate limit, a concurrent
/// request with the same key, a gateway timeout. Only a status that Stripe documents as final, with a body of Stripe's
/// format, is a rejection: proxies respond with other 4xx statuses and with bodies of their own.
fn meaning(status: u16, is_replayed: bool, body: Option<Value>) -> Option<Said> {
    match (status, body) {
        (200..=299, Some(body)) => Some(Said::Done(body)),
        (500..=599, _) if is_replayed => Some(Said::Stored),
        (400 | 402 | 404, Some(body)) => {
            let kind = body["error"]["type"].as_str()?;
            // It concerns the key, not the payment.
            (kind != "idempotency_error").then(|| Said::Rejected { status, failure: failure(&body) })
        }
        _ => None,
    }
}

/// Displays an error with its sources.
struct Causes<'a>(&'a reqwest::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(kind: &str) -> Option<Value> {
        Some(json!({"error": {"type": kind, "code": "some_code", "message": "No."}}))
    }

    #[test]
    fn only_a_final_answer_of_the_provider_is_a_rejection() {
        for status in 400..=499 {
            let is_rejection = match meaning(status, false, error("invalid_request_error")) {
                Some(Said::Rejected { status: said, failure }) => said == status && failure.code == "some_code",
                Some(other) => panic!("{status}: {other:?}"),
                None => false,
            };
            assert_eq!(is_rejection, [400, 402, 404].contains(&status), "{status}");
        }
        assert!(meaning(402, false, error("card_error")).is_some());
    }

    #[test]
    fn an_answer_of_another_shape_is_no_rejection() {
        for body in [None, Some(json!({"message": "no Route matched"})), Some(json!({"error": "bad request"}))] {
            assert!(meaning(404, false, body.clone()).is_none(), "{body:?}");
        }
        assert!(meaning(400, false, error("idempotency_error")).is_none(), "it is about the key");
    }

    #[test]
    fn only_a_provider_that_serves_no_request_is_away() {
        for status in [429, 500, 502, 503, 504] {
            assert!(is_away(status, false), "{status}");
        }
        assert!(!is_away(500, true), "it answers, with what is stored");
        for status in [200, 302, 400, 401, 402, 404, 409] {
            assert!(!is_away(status, false), "{status}");
        }
    }

    #[test]
    fn a_failure_is_stored_where_the_provider_says_so() {
        assert!(matches!(meaning(500, true, None), Some(Said::Stored)));
        assert!(meaning(500, false, error("api_error")).is_none());
        assert!(matches!(meaning(200, true, Some(json!({}))), Some(Said::Done(_))));
        assert!(meaning(200, false, None).is_none() && meaning(302, false, None).is_none());
    }
}
