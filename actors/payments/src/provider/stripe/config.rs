//! The configuration of the Stripe provider.

use std::{fmt, time::Duration};

/// A secret text, which its `Debug` output omits.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The configuration of the Stripe provider.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// Base URL of the API: `https://api.stripe.com`, or the address of a sandbox.
    pub base: String,
    /// API key that authenticates every request.
    pub secret_key: Secret,
    /// API key for browsers.
    pub publishable_key: String,
    /// Secret that webhooks are signed with.
    pub webhook_secret: Secret,
    /// Timeout of one request.
    pub timeout: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let config = StripeConfig {
            base: "http://127.0.0.1:1".into(),
            secret_key: Secret::new("sk_hidden"),
            publishable_key: "pk_shown".into(),
            webhook_secret: Secret::new("whsec_hidden"),
            timeout: Duration::from_secs(1),
        };
        let shown = format!("{config:?} {:?}", super::super::Stripe::new(config.clone()));
        assert!(shown.contains("pk_shown") && !shown.contains("hidden"), "{shown}");
    }
}
