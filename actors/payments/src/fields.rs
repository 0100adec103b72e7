//! Limits texts of the provider to what a row can hold.

use subjects::orders::Failure;

/// Limits a provider's failure in length, and removes control characters.
pub(crate) fn plain(failure: &Failure) -> Failure {
    let cut = |text: &str, max: usize| text.chars().filter(|c| !c.is_control()).take(max).collect::<String>();
    let code = cut(&failure.code, 100);
    let code = if code.is_empty() { "payment_failed".into() } else { code };
    Failure { code, message: cut(&failure.message, 500) }
}
