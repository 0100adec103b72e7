//! Validation of fields that only orders have.

use contract::{Detail, Fields};

/// Checks the id of a provider's payment method. Its form excludes card numbers, as orders are kept forever.
pub(crate) fn payment_method(fields: &mut Fields, field: &str, text: &str) {
    if !is_method(text) {
        let message = "must be a payment method of the provider, such as pm_card_visa, and never card data";
        fields.wrong(Detail::format(field, "payment_method", message));
    }
}

/// `^[a-z]+(_[A-Za-z0-9]+)+$`, 100 characters at most.
fn is_method(text: &str) -> bool {
    let Some((prefix, rest)) = text.split_once('_') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 100
        && !prefix.is_empty()
        && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
        && rest.split('_').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_no_payment_method() {
        for good in ["pm_card_visa", "pm_card_chargeDeclinedInsufficientFunds", "pm_1PxYzAbCd", "tok_visa", "card_1"] {
            assert!(is_method(good), "{good}");
        }
        let numbers = ["4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242", "4242_4242_4242_4242"];
        let long = format!("pm_{}", "a".repeat(98));
        let others = ["", "pm", "pm_", "_card", "pm__visa", "pm_card_", "PM_card", "pm_4242 4242", "pm_visa\n", &long];
        for bad in numbers.iter().chain(&others) {
            assert!(!is_method(bad), "{bad:?}");
        }
    }
}
