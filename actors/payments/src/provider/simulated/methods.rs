//! Stripe's test payment methods, by name.

use subjects::orders::Failure;

/// Can be charged, but its refunds fail.
pub(super) const REFUNDS_FAIL: &str = "pm_card_refundFail";

/// The buyer confirms a charge that requires it. Not one of Stripe's methods: only the sandbox uses it.
pub(crate) const AUTHENTICATED: &str = "sandbox_authenticated";

/// The buyer rejects a charge that requires confirmation. Only the sandbox uses it.
pub(crate) const NOT_AUTHENTICATED: &str = "sandbox_not_authenticated";

/// How a charge that is not declined continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    Pays,
    /// The card's issuer requires the buyer to confirm the charge.
    NeedsAuthentication,
}

/// The result of charging a payment method.
pub(super) fn charge(method: &str) -> Result<Charge, Failure> {
    let (code, message) = match method {
        "pm_card_visa" | "pm_card_visa_debit" | "pm_card_mastercard" | "pm_card_amex" | "pm_card_discover"
        | REFUNDS_FAIL => return Ok(Charge::Pays),
        "pm_card_authenticationRequired" => return Ok(Charge::NeedsAuthentication),
        NOT_AUTHENTICATED => ("payment_intent_authentication_failure", "The buyer did not confirm the payment."),
        "pm_card_visa_chargeDeclined" | "pm_card_chargeDeclined" => ("card_declined", "Your card was declined."),
        "pm_card_chargeDeclinedInsufficientFunds" | "pm_card_visa_chargeDeclinedInsufficientFunds" => {
            ("insufficient_funds", "Your card has insufficient funds.")
        }
        "pm_card_chargeDeclinedExpiredCard" => ("expired_card", "Your card has expired."),
        "pm_card_chargeDeclinedIncorrectCvc" => ("incorrect_cvc", "Your card's security code is incorrect."),
        "pm_card_chargeDeclinedProcessingError" => {
            ("processing_error", "An error occurred while processing your card.")
        }
        _ => ("payment_method_invalid", "There is no such payment method."),
    };
    Err(Failure { code: code.into(), message: message.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_methods_do_what_their_names_say() {
        assert_eq!(charge("pm_card_visa"), Ok(Charge::Pays));
        assert_eq!(charge("pm_card_authenticationRequired"), Ok(Charge::NeedsAuthentication));
        let code = |method: &str| charge(method).unwrap_err().code;
        assert_eq!(code("pm_card_visa_chargeDeclined"), "card_declined");
        assert_eq!(code("pm_card_chargeDeclinedInsufficientFunds"), "insufficient_funds");
        assert_eq!(code("pm_card_unknown"), "payment_method_invalid");
    }
}
