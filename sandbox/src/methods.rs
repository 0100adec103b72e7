//! Payment methods by name: Stripe's test methods, and the misbehaving ones.

use std::time::Duration;

/// The outcome of charging a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Succeeds at once.
    Pays,
    /// Replies with `processing`, and succeeds afterwards.
    PaysAfter(Duration),
    /// Declines, with the provider's code, the bank's code and a message.
    Declines(&'static str, &'static str, &'static str),
    /// Requires the buyer's confirmation first.
    NeedsAuthentication,
    /// Fails the first request before any effect; a request under another key succeeds.
    BreaksOnce,
}

/// How the reply is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once.
    Plain,
    /// With a delay.
    Slow,
    /// Never.
    Silent,
    /// Never, and the key is not stored, as if it had expired.
    Forgetful,
    /// As a 500 that is stored under the key.
    Failing,
    /// As a 400 that is stored under the key, although the request took effect.
    Denying,
    /// As a 408 from an intermediary; the true reply is stored under the key.
    TimedOut,
}

/// How the creation of an object behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Creation {
    pub(crate) manner: Manner,
    /// Fails the first request before any effect; a request under another key creates the object.
    pub(crate) breaks_once: bool,
}

impl Creation {
    /// The method is unknown when an object is created, so the amount, in minor units of any currency, selects the
    /// behaviour.
    pub(crate) fn of(amount: i64) -> Self {
        let made = |manner| Self { manner, breaks_once: false };
        match amount {
            4_000_001 => made(Manner::Slow),
            4_000_002 => made(Manner::Silent),
            4_000_003 => made(Manner::Failing),
            4_000_004 => Self { breaks_once: true, ..made(Manner::Plain) },
            4_000_005 => made(Manner::TimedOut),
            _ => made(Manner::Plain),
        }
    }
}

/// How the webhooks of a charge are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Once, at once.
    Once,
    /// The same event twice.
    Twice,
    /// Well after the charge.
    Late,
    /// The latest event first.
    Reordered,
    /// For a charge that did not happen: with another secret, with an expired timestamp, and unsigned.
    Forged,
}

/// The behaviour of a payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) charge: Charge,
    pub(crate) manner: Manner,
    pub(crate) delivery: Delivery,
    /// How the reply to a refund is delivered.
    pub(crate) refund: Manner,
    /// What happens to the money afterwards.
    pub(crate) aftermath: Aftermath,
}

/// What happens later to charged or refunded money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// Nothing.
    None,
    /// The buyer disputes the charge.
    Disputed,
    /// Refunds succeed, and fail later.
    RefundsFail,
}

const SOON: Charge = Charge::PaysAfter(Duration::from_millis(300));

/// Finds a method by name.
pub(crate) fn method(name: &str) -> Option<Method> {
    let plain = Method {
        charge: Charge::Pays,
        manner: Manner::Plain,
        delivery: Delivery::Once,
        refund: Manner::Plain,
        aftermath: Aftermath::None,
    };
    let declines = |code, of_bank, message| Method { charge: Charge::Declines(code, of_bank, message), ..plain };
    Some(match name {
        "pm_card_visa" | "pm_card_visa_debit" | "pm_card_mastercard" | "pm_card_amex" | "pm_card_discover" => plain,
        "pm_card_visa_chargeDeclined" | "pm_card_chargeDeclined" => {
            declines("card_declined", "generic_decline", "Your card was declined.")
        }
        "pm_card_chargeDeclinedInsufficientFunds" | "pm_card_visa_chargeDeclinedInsufficientFunds" => {
            declines("card_declined", "insufficient_funds", "Your card has insufficient funds.")
        }
        "pm_card_chargeDeclinedExpiredCard" => declines("expired_card", "", "Your card has expired."),
        "pm_card_authenticationRequired" => Method { charge: Charge::NeedsAuthentication, ..plain },
        "pm_sandbox_slow" => Method { manner: Manner::Slow, ..plain },
        "pm_sandbox_timeout_after_charge" => Method { manner: Manner::Silent, ..plain },
        "pm_sandbox_forgotten_key" => Method { manner: Manner::Forgetful, ..plain },
        "pm_sandbox_408" => Method { manner: Manner::TimedOut, ..plain },
        "pm_sandbox_stored_500" => Method { manner: Manner::Failing, ..plain },
        "pm_sandbox_stored_500_uncharged" => Method { charge: Charge::BreaksOnce, manner: Manner::Failing, ..plain },
        "pm_sandbox_duplicate_webhook" => Method { charge: SOON, delivery: Delivery::Twice, ..plain },
        "pm_sandbox_late_webhook" => {
            Method { charge: Charge::PaysAfter(Duration::ZERO), delivery: Delivery::Late, ..plain }
        }
        "pm_sandbox_reordered_webhooks" => Method { charge: SOON, delivery: Delivery::Reordered, ..plain },
        "pm_sandbox_forged_webhook" => Method {
            delivery: Delivery::Forged,
            ..declines("card_declined", "generic_decline", "Your card was declined.")
        },
        "pm_sandbox_refund_timeout" => Method { refund: Manner::Silent, ..plain },
        "pm_sandbox_refund_forgotten_key" => Method { refund: Manner::Forgetful, ..plain },
        "pm_sandbox_refund_stored_500" => Method { refund: Manner::Failing, ..plain },
        "pm_sandbox_refund_400" => Method { refund: Manner::Denying, ..plain },
        "pm_sandbox_refund_408" => Method { refund: Manner::TimedOut, ..plain },
        "pm_sandbox_dispute" => Method { aftermath: Aftermath::Disputed, ..plain },
        "pm_sandbox_refund_fails_late" => Method { aftermath: Aftermath::RefundsFail, ..plain },
        _ => return None,
    })
}
