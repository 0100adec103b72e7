//! The payment provider and how to reach it.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, anyhow, bail};
use payments::{
    PaymentsConfig,
    provider::{Secret, Stripe, StripeConfig},
};

use super::{duration, optional, read};

/// The longest timeout of one request to the provider: an effect has ten seconds for all of its requests.
const LONGEST: Duration = Duration::from_secs(9);

/// Reads `SOUK_PAYMENTS_PROVIDER` and the settings of that provider.
pub(crate) fn payments(is_local: bool) -> Result<PaymentsConfig> {
    let provider = chosen(optional("SOUK_PAYMENTS_PROVIDER")?, is_local)?;
    match provider.as_str() {
        "simulated" => Ok(PaymentsConfig::default()),
        "stripe" => {
            let stripe = Stripe::new(stripe()?).map_err(|reason| anyhow!("the provider stripe: {reason}"))?;
            Ok(PaymentsConfig { provider: Arc::new(stripe) })
        }
        other => bail!("SOUK_PAYMENTS_PROVIDER is {other:?}, neither simulated nor stripe"),
    }
}

/// The configured provider. Only the local stack has a default: elsewhere, orders would ship without being paid.
fn chosen(named: Option<String>, is_local: bool) -> Result<String> {
    match (named, is_local) {
        (Some(named), _) => Ok(named),
        (None, true) => Ok("simulated".to_owned()),
        (None, false) => bail!("SOUK_PAYMENTS_PROVIDER is not set: set it to stripe or simulated"),
    }
}

fn stripe() -> Result<StripeConfig> {
    let needed = |variable: &str| {
        optional(variable)?.ok_or_else(|| anyhow!("SOUK_PAYMENTS_PROVIDER is stripe, so {variable} must be set"))
    };
    let timeout = duration("SOUK_STRIPE_TIMEOUT", Duration::from_secs(8))?;
    if timeout > LONGEST {
        bail!("SOUK_STRIPE_TIMEOUT is more than {} s", LONGEST.as_secs());
    }
    Ok(StripeConfig {
        base: read("SOUK_STRIPE_BASE", "https://api.stripe.com".to_owned())?,
        secret_key: Secret::new(needed("SOUK_STRIPE_SECRET_KEY")?),
        publishable_key: needed("SOUK_STRIPE_PUBLISHABLE_KEY")?,
        webhook_secret: Secret::new(needed("SOUK_STRIPE_WEBHOOK_SECRET")?),
        timeout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_provider_is_never_a_default() {
        assert_eq!(chosen(None, true).unwrap(), "simulated");
        assert_eq!(chosen(Some("stripe".into()), true).unwrap(), "stripe");
        assert_eq!(chosen(Some("simulated".into()), false).unwrap(), "simulated");
        let said = chosen(None, false).unwrap_err().to_string();
        assert!(said.contains("SOUK_PAYMENTS_PROVIDER is not set"), "{said}");
    }
}
