//! What stands firm about a payment when its provider is asked: who that is.

use runtime::Breakage;
use serde::{Deserialize, Serialize};

use crate::{Payments, provider::Provider, store::Row};

/// Goes along with what is asked of a provider. Empty where it was asked by a node that knew nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    #[serde(default)]
    provider: Option<String>,
}

impl Terms {
    /// Those of a payment; one that is new is this node's provider's.
    pub(crate) fn of(row: &Row, own: &dyn Provider) -> Self {
        Self::named(row.provider.clone().unwrap_or_else(|| own.name().to_owned()))
    }

    /// Those of a payment that a provider has.
    pub(crate) fn named(provider: String) -> Self {
        Self { provider: Some(provider) }
    }

    /// The provider to ask. Another one than the payment's knows nothing of it: what it said would be no outcome.
    pub(crate) fn provider<'a>(&self, payments: &'a Payments) -> Result<&'a dyn Provider, Breakage> {
        let own = payments.provider();
        match &self.provider {
            Some(name) if name != own.name() => {
                tracing::error!(payment_provider = name, provider = own.name(), "this node has another provider");
                Err(Breakage::other(format!("{name} has the payment, and this node asks {}", own.name())))
            }
            _ => Ok(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PaymentsConfig;

    #[test]
    fn only_the_provider_that_has_a_payment_is_asked_about_it() {
        let payments = Payments::new(PaymentsConfig::default());
        let asked = |terms: Terms| terms.provider(&payments).map(Provider::name).map_err(|breakage| breakage.to_string());
        assert_eq!(asked(Terms::named("simulated".into())), Ok("simulated"));
        assert_eq!(asked(Terms::default()), Ok("simulated"), "an effect from before");
        assert!(asked(Terms::named("stripe".into())).is_err_and(|said| said.contains("stripe has the payment")));
    }
}
