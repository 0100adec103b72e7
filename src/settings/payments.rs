//! The payment provider and how to reach it.

use std::{str::FromStr, sync::Arc, time::Duration};

use anyhow::{Result, anyhow, bail};
use payments::{
    PaymentsConfig,
    provider::{Secret, Stripe, StripeConfig},
};

use super::{
    Settings, Sources,
    setting::{Setting, Words},
    table::{PROVIDER, STRIPE_BASE, STRIPE_PUBLISHABLE_KEY, STRIPE_SECRET_KEY, STRIPE_TIMEOUT, STRIPE_WEBHOOK_SECRET},
};

/// The longest timeout of one request to the provider: an effect has ten seconds for all of its requests.
pub(super) const LONGEST: Duration = Duration::from_secs(9);

/// A payment provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    Simulated,
    Stripe,
}

impl FromStr for Provider {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "simulated" => Ok(Self::Simulated),
            "stripe" => Ok(Self::Stripe),
            _ => Err("neither simulated nor stripe"),
        }
    }
}

/// The payment provider with its settings.
pub(crate) fn payments(settings: &Settings, is_local: bool) -> Result<PaymentsConfig> {
    match chosen(settings.sources.optional(&PROVIDER)?, is_local)? {
        Provider::Simulated => Ok(PaymentsConfig::default()),
        Provider::Stripe => {
            let stripe = Stripe::new(stripe(&settings.sources)?);
            let stripe = stripe.map_err(|reason| anyhow!("the provider stripe: {reason}"))?;
            Ok(PaymentsConfig { provider: Arc::new(stripe) })
        }
    }
}

/// The configured provider. Only the local stack has a default: elsewhere, orders would ship without being paid.
fn chosen(named: Option<Provider>, is_local: bool) -> Result<Provider> {
    match (named, is_local) {
        (Some(named), _) => Ok(named),
        (None, true) => Ok(Provider::Simulated),
        (None, false) => bail!("SOUK_PAYMENTS_PROVIDER is not set: set it to stripe or simulated"),
    }
}

/// Whether the settings of the provider, if one is named, are complete.
pub(super) fn check(sources: &Sources) -> Result<()> {
    match sources.optional(&PROVIDER)? {
        Some(Provider::Stripe) => stripe(sources).map(drop),
        Some(Provider::Simulated) | None => Ok(()),
    }
}

fn stripe(sources: &Sources) -> Result<StripeConfig> {
    let needed = |setting: &Setting<String, Words>| {
        let missing = || anyhow!("SOUK_PAYMENTS_PROVIDER is stripe, so {} must be set", setting.variable());
        sources.optional(setting)?.ok_or_else(missing)
    };
    Ok(StripeConfig {
        base: sources.read(&STRIPE_BASE)?,
        secret_key: Secret::new(needed(&STRIPE_SECRET_KEY)?),
        publishable_key: needed(&STRIPE_PUBLISHABLE_KEY)?,
        webhook_secret: Secret::new(needed(&STRIPE_WEBHOOK_SECRET)?),
        timeout: sources.read(&STRIPE_TIMEOUT)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_provider_is_never_a_default() {
        assert_eq!(chosen(None, true).unwrap(), Provider::Simulated);
        assert_eq!(chosen(Some(Provider::Stripe), true).unwrap(), Provider::Stripe);
        assert_eq!(chosen(Some(Provider::Simulated), false).unwrap(), Provider::Simulated);
        let said = chosen(None, false).unwrap_err().to_string();
        assert!(said.contains("SOUK_PAYMENTS_PROVIDER is not set"), "{said}");
    }
}
