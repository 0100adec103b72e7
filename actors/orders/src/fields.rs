//! What is wrong with the fields of a body.

use contract::Detail;

/// Collects what is wrong, by the field's path in the client's body.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Detail>);

impl Problems {
    pub(crate) fn add(&mut self, detail: Detail) {
        self.0.push(detail);
    }

    /// A text of so many characters, without control characters; line breaks and tabs where it has several lines.
    pub(crate) fn text(&mut self, field: &str, text: &str, min: usize, max: usize, lines: bool) {
        let count = text.chars().count();
        if count < min || count > max {
            self.add(Detail::length(field, min, max));
        }
        let forbidden = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'));
        if text.chars().any(forbidden) {
            self.add(Detail::characters(field, "control characters"));
        }
    }

    /// An e-mail address, as far as its form tells.
    pub(crate) fn email(&mut self, field: &str, text: &str) {
        if !is_email(text) {
            self.add(Detail::format(field, "email", "must be an e-mail address"));
        }
    }

    /// The name of a provider's payment method. A card number does not have its form: orders are kept for ever.
    pub(crate) fn method(&mut self, field: &str, text: &str) {
        if !is_method(text) {
            let message = "must be a payment method of the provider, such as pm_card_visa, and never card data";
            self.add(Detail::format(field, "payment_method", message));
        }
    }

    pub(crate) fn extend(&mut self, details: Vec<Detail>) {
        self.0.extend(details);
    }

    /// Nothing, or everything that is wrong.
    pub(crate) fn into_result(self) -> Result<(), Vec<Detail>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

fn is_email(text: &str) -> bool {
    let plain = text.len() <= 254 && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let labels_are_right = host.contains('.')
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    plain && !local.is_empty() && local.len() <= 64 && !local.contains('@') && labels_are_right
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
    fn the_form_of_an_address_is_checked() {
        for good in ["a@b.co", "first.last+tag@sub.example.org", "ü@müller.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "a@b", "@b.co", "a@", "a@.co", "a@b..co", "a b@c.de", "a@b.co\0", "a@b@c.de", "a@-b.co"] {
            assert!(!is_email(bad), "{bad:?}");
        }
    }

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

    #[test]
    fn control_characters_are_named() {
        let mut problems = Problems::default();
        problems.text("notes", "two\nlines", 0, 20, true);
        assert!(problems.0.is_empty());
        problems.text("notes", "\0", 0, 20, true);
        problems.text("reason", "two\nlines", 0, 20, false);
        problems.text("method", "", 1, 20, false);
        let fields: Vec<&str> = problems.0.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!(fields, ["notes", "reason", "method"]);
    }
}
