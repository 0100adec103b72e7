//! What stands firm about a payment when its provider is asked: who that is, and what is owed.

use runtime::Breakage;
use serde::{Deserialize, Serialize};
use subjects::Money;

use crate::{
    Payments,
    provider::{Charged, Provider},
    store::Row,
};

/// Goes along with what is asked of a provider. Empty where it was asked by a node that knew nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    owed: Option<Money>,
}

impl Terms {
    /// Those of a payment; one that is new is this node's provider's.
    pub(crate) fn of(row: &Row, own: &dyn Provider) -> Self {
        let provider = row.provider.clone().unwrap_or_else(|| own.name().to_owned());
        Self { provider: Some(provider), owed: row.attempt.details.as_ref().map(|details| details.amount) }
    }

    /// Those of a payment that a provider has.
    pub(crate) fn named(provider: String, owed: Money) -> Self {
        Self { provider: Some(provider), owed: Some(owed) }
    }

    /// What came must be what is owed: no order is confirmed for another sum, and a person must look.
    pub(crate) fn check(&self, object: &str, came: &Charged) -> Result<(), Breakage> {
        let Some(owed) = self.owed else { return Ok(()) };
        if came.amount == owed.amount && came.currency.eq_ignore_ascii_case(owed.currency.code()) {
            return Ok(());
        }
        tracing::error!(object, ?owed, ?came, "the provider has another sum than is owed: a person must look");
        Err(Breakage::other(format!("the provider has another sum than is owed for {object}")))
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
    use subjects::Currency;

    use super::*;
    use crate::PaymentsConfig;

    #[test]
    fn only_the_provider_that_has_a_payment_is_asked_about_it() {
        let payments = Payments::new(PaymentsConfig::default());
        let asked =
            |terms: Terms| terms.provider(&payments).map(Provider::name).map_err(|breakage| breakage.to_string());
        let named = |name: &str| Terms::named(name.into(), Money::new(100, Currency::USD));
        assert_eq!(asked(named("simulated")), Ok("simulated"));
        assert_eq!(asked(Terms::default()), Ok("simulated"), "an effect from before");
        assert!(asked(named("stripe")).is_err_and(|said| said.contains("stripe has the payment")));
    }
    #[test]
    fn another_sum_than_is_owed_is_no_outcome() {
        let terms = Terms::named("stripe".into(), Money::new(100, Currency::USD));
        let is_right =
            |amount, currency: &str| terms.check("pi_1", &Charged { amount, currency: currency.into() }).is_ok();
        assert!(is_right(100, "USD") && is_right(100, "usd"));
        assert!(!is_right(99, "usd") && !is_right(101, "usd") && !is_right(100, "eur"));
        assert!(Terms::default().check("pi_1", &Charged { amount: 1, currency: "eur".into() }).is_ok(), "from before");
    }
}
