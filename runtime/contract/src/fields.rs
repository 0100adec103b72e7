//! Validation of a request's fields.

use std::ops::RangeInclusive;

use crate::{
    Detail,
    text::{is_invisible, trimmed},
};

/// Collects the invalid fields of a request, each with its path in the client's body.
#[derive(Debug, Default)]
pub struct Fields(Vec<Detail>);

/// Whether a text may have several lines. Other control characters are never allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineBreaks {
    /// A single line.
    Forbidden,
    /// Several lines; tabs are allowed too.
    Allowed,
}

impl Fields {
    /// The longest e-mail address (RFC 5321, section 4.5.3.1.3).
    pub const MAX_EMAIL: usize = 254;

    /// Adds an invalid field.
    pub fn wrong(&mut self, detail: Detail) {
        self.0.push(detail);
    }

    /// Checks the length of a text in characters, and that it contains no forbidden control characters. Surrounding
    /// whitespace and invisible characters do not count towards the minimum.
    pub fn text(&mut self, field: &str, text: &str, length: RangeInclusive<usize>, breaks: LineBreaks) {
        let (min, max) = length.into_inner();
        // The maximum applies to the whole text.
        if trimmed(text).chars().count() < min || text.chars().count() > max {
            self.wrong(Detail::length(field, min, max));
        }
        let is_forbidden =
            |c: char| c.is_control() && !(breaks == LineBreaks::Allowed && matches!(c, '\n' | '\r' | '\t'));
        if text.chars().any(is_forbidden) {
            let all_or_others = match breaks {
                LineBreaks::Forbidden => "control characters",
                LineBreaks::Allowed => "control characters other than line breaks and tabs",
            };
            self.wrong(Detail::characters(field, all_or_others));
        }
    }

    /// Checks that a number is within bounds.
    pub fn range(&mut self, field: &str, value: i64, bounds: RangeInclusive<i64>) {
        if !bounds.contains(&value) {
            self.wrong(Detail::range(field, *bounds.start(), *bounds.end()));
        }
    }

    /// Checks the form of an e-mail address. Surrounding whitespace and invisible characters are ignored.
    pub fn email(&mut self, field: &str, text: &str) {
        if !is_email(trimmed(text)) {
            self.wrong(Detail::format(field, "email", "must be an e-mail address"));
        }
    }

    /// Ends the validation.
    ///
    /// # Errors
    /// All invalid fields.
    pub fn finish(self) -> Result<(), Vec<Detail>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// A local part of at most 64 bytes, one `@`, and a domain of at least two labels. Does not check deliverability.
fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let is_plain = !text.chars().any(|c| c.is_control() || c.is_whitespace() || is_invisible(c));
    is_plain && text.len() <= Fields::MAX_EMAIL && (1..=64).contains(&name.len()) && is_domain(domain)
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(check: impl FnOnce(&mut Fields)) -> Vec<String> {
        let mut fields = Fields::default();
        check(&mut fields);
        fields.finish().err().unwrap_or_default().into_iter().map(|detail| detail.field).collect()
    }

    #[test]
    fn texts_are_bounded_and_hold_no_control_characters() {
        let one = |text: &str| wrong(|f| f.text("name", text, 1..=5, LineBreaks::Forbidden));
        assert!(one("Linen").is_empty() && one("ü👕é").is_empty());
        for bad in ["", "   ", "\u{200b}", "a\0b", "a\nb", "Linens", "a     "] {
            assert_eq!(one(bad), ["name"], "{bad:?}");
        }
        assert!(wrong(|f| f.text("notes", "two\nlines\t", 0..=20, LineBreaks::Allowed)).is_empty());
        assert_eq!(wrong(|f| f.text("notes", "\u{1b}", 0..=20, LineBreaks::Allowed)), ["notes"]);
        assert_eq!(wrong(|f| f.range("quantity", 0, 1..=5)), ["quantity"]);
    }

    #[test]
    fn addresses_are_distinguished_from_other_texts() {
        let long = format!("{}@example.com", "a".repeat(64));
        let good = ["a@b.co", "Ann.Other+shop@mail.example.com", "jürgen@müller.example", " a@b.co ", &long];
        for email in good {
            assert!(wrong(|f| f.email("email", email)).is_empty(), "{email}");
        }
        let too_long = format!("{}@example.com", "a".repeat(65));
        let domain = format!("a@{}.com", "b.".repeat(126));
        let bad = [
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a@.co",
            "a@b..co",
            "a b@c.de",
            "a@b@c.de",
            "a@-b.de",
            "a\0@b.de",
            "a@b.d\ne",
            "a\u{200b}@b.co",
            &too_long,
            &domain,
        ];
        for email in bad {
            assert_eq!(wrong(|f| f.email("email", email)), ["email"], "{email:?}");
        }
    }
}
