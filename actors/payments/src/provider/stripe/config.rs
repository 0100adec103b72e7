//! How the provider is reached, and what must stay secret.

use std::{fmt, time::Duration};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in.
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

/// How the provider is reached.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// Where its API is: `https://api.stripe.com`, or the address of a sandbox.
    pub base: String,
    /// Shown with every request.
    pub secret_key: Secret,
    /// For browsers.
    pub publishable_key: String,
    /// Signs its webhooks.
    pub webhook_secret: Secret,
    /// How long it may take to answer one request.
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
