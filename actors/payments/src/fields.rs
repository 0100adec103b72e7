//! Texts from outside, within what a row can hold.

use contract::Detail;
use subjects::orders::Failure;

/// What is wrong with a reason; nothing where it can be stored.
pub(crate) fn wrong_reason(reason: &str) -> Option<Detail> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if reason.chars().count() > 500 {
        Some(Detail::length("reason", 0, 500))
    } else if reason.chars().any(is_control) {
        Some(Detail::characters("reason", "control characters"))
    } else {
        None
    }
}

/// A provider's word for a decline, plain and short.
pub(crate) fn plain(failure: &Failure) -> Failure {
    let cut = |text: &str, max: usize| text.chars().filter(|c| !c.is_control()).take(max).collect::<String>();
    let code = cut(&failure.code, 100);
    let code = if code.is_empty() { "payment_failed".into() } else { code };
    Failure { code, message: cut(&failure.message, 500) }
}
