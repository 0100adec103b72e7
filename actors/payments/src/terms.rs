//! The fixed terms of a payment, which every request to the provider carries: the provider's name and the amount due.

use runtime::InternalError;
use serde::{Deserialize, Serialize};
use subjects::Money;

use crate::{
    Payments,
    provider::{Charged, Provider},
    store::Row,
};

/// The terms that an effect carries. Empty in effects that were stored by an older version without terms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    owed: Option<Money>,
}

impl Terms {
    /// The terms of a payment. A new payment belongs to this node's provider.
    pub(crate) fn of(row: &Row, own: &dyn Provider) -> Self {
        let provider = row.provider.clone().unwrap_or_else(|| own.name().to_owned());
        Self { provider: Some(provider), owed: row.attempt.details.as_ref().map(|details| details.amount) }
    }

    /// The terms of a payment with a known provider and amount.
    pub(crate) fn named(provider: String, owed: Money) -> Self {
        Self { provider: Some(provider), owed: Some(owed) }
    }

    /// Checks that the captured amount is the amount due, if that is known: no order is confirmed for another amount. A
    /// mismatch is logged as an error for an operator.
    pub(crate) fn check(&self, object: &str, came: &Charged) -> Result<(), InternalError> {
        let Some(owed) = self.owed else { return Ok(()) };
        if came.amount == owed.amount && came.currency.eq_ignore_ascii_case(owed.currency.code()) {
            return Ok(());
        }
        tracing::error!(
            object,
            ?owed,
            charged = ?came,
            "charged amount differs from the amount due, manual action required"
        );
        Err(InternalError::other(format!("the charged amount differs from the amount due for {object}")))
    }

    /// The payment's provider. Fails if this node has another one: its response would say nothing about the payment.
    pub(crate) fn provider<'a>(&self, payments: &'a Payments) -> Result<&'a dyn Provider, InternalError> {
        let own = payments.provider();
        match &self.provider {
            Some(name) if name != own.name() => {
                tracing::error!(payment_provider = name, provider = own.name(), "payment belongs to another provider");
                Err(InternalError::other(format!("{name} has the payment, and this node uses {}", own.name())))
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
    fn only_the_provider_that_has_a_payment_is_called_about_it() {
        let payments = Payments::new(PaymentsConfig::default());
        let requested = |terms: Terms| terms.provider(&payments).map(Provider::name).map_err(|error| error.to_string());
        let named = |name: &str| Terms::named(name.into(), Money::new(100, Currency::USD));
        assert_eq!(requested(named("simulated")), Ok("simulated"));
        assert_eq!(requested(Terms::default()), Ok("simulated"), "an effect from before");
        assert!(requested(named("stripe")).is_err_and(|said| said.contains("stripe has the payment")));
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
