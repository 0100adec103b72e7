//! Payment methods by name: Stripe's own for tests, and the hostile ones.

use std::time::Duration;

/// What charging a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Paid at once.
    Pays,
    /// Answered as `processing`, paid afterwards.
    PaysAfter(Duration),
    /// Declined, with the provider's code, the bank's and a sentence.
    Declines(&'static str, &'static str, &'static str),
    /// The buyer has to confirm it first.
    NeedsAuthentication,
    /// The first request fails before anything happened; another one, under another key, pays.
    BreaksOnce,
}

/// How the caller hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once.
    Plain,
    /// After a while.
    Slow,
    /// Never.
    Silent,
    /// Never, and the key is forgotten at once, as if a day had gone by.
    Forgetful,
    /// With a 500 that is stored under the key.
    Failing,
    /// With a 400 that is stored under the key, though it was done.
    Denying,
    /// By somebody on the way, who has lost patience; the key has the true answer.
    TimedOut,
}

/// How the making of an object goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Creation {
    pub(crate) manner: Manner,
    /// The first request fails before anything happened; another one, under another key, makes it.
    pub(crate) breaks_once: bool,
}

impl Creation {
    /// No method is known when an object is made, so its amount tells, in minor units of whatever currency.
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

/// What the webhooks of a charge are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Once, at once.
    Once,
    /// The same event twice.
    Twice,
    /// Long after the charge.
    Late,
    /// The last one first.
    Reordered,
    /// Of a charge that never was, by somebody else.
    Forged,
}

/// A method's manners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) charge: Charge,
    pub(crate) manner: Manner,
    pub(crate) told: Told,
    /// How the caller hears of a refund.
    pub(crate) refund: Manner,
    /// What becomes of the money afterwards.
    pub(crate) aftermath: Aftermath,
}

/// What becomes of money that was taken or given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// It stays where it is.
    None,
    /// The buyer disputes the charge.
    Disputed,
    /// Refunds succeed, and fail later.
    RefundsFail,
}

const SOON: Charge = Charge::PaysAfter(Duration::from_millis(300));

/// The method of a name; nothing where there is none.
pub(crate) fn method(name: &str) -> Option<Method> {
    let plain = Method {
        charge: Charge::Pays,
        manner: Manner::Plain,
        told: Told::Once,
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
        "pm_sandbox_duplicate_webhook" => Method { charge: SOON, told: Told::Twice, ..plain },
        "pm_sandbox_late_webhook" => Method { charge: Charge::PaysAfter(Duration::ZERO), told: Told::Late, ..plain },
        "pm_sandbox_reordered_webhooks" => Method { charge: SOON, told: Told::Reordered, ..plain },
        "pm_sandbox_forged_webhook" => {
            Method { told: Told::Forged, ..declines("card_declined", "generic_decline", "Your card was declined.") }
        }
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
