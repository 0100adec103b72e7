//! What an account may look like.

use contract::Detail;
use subjects::{identity::IdentityError, roles};

/// Collects what is wrong with which field.
#[derive(Default)]
pub(crate) struct Fields(Vec<Detail>);

impl Fields {
    pub(crate) fn wrong(&mut self, detail: Detail) {
        self.0.push(detail);
    }

    /// Nothing, or everything that was wrong.
    pub(crate) fn finish(self) -> Result<(), IdentityError> {
        if self.0.is_empty() { Ok(()) } else { Err(IdentityError::InvalidAccount { fields: self.0 }) }
    }
}

/// The address without the blanks around it, as it is stored.
pub(crate) fn trimmed_email(text: &str) -> &str {
    text.trim()
}

/// Whether a text may be looked up as an address: PostgreSQL's text cannot hold everything a client may send.
pub(crate) fn may_be_email(text: &str) -> bool {
    let length = text.chars().count();
    (3..=254).contains(&length) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// An address has a name, one `@`, and a domain of at least two labels. Whether it can be reached, only a mail can tell.
pub(crate) fn check_email(fields: &mut Fields, email: &str) {
    let length = email.chars().count();
    if !(3..=254).contains(&length) {
        return fields.wrong(Detail::length("email", 3, 254));
    }
    let well_formed = may_be_email(email)
        && email.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && name.len() <= 64 && !domain.contains('@') && is_domain(domain)
        });
    if !well_formed {
        fields.wrong(Detail::format("email", "email", "must be an e-mail address"));
    }
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

/// Long enough to resist guessing, short enough to hash.
pub(crate) fn check_password(fields: &mut Fields, password: &str) {
    if !(10..=256).contains(&password.chars().count()) {
        fields.wrong(Detail::length("password", 10, 256));
    }
}

/// A name or a number, where there is one.
pub(crate) fn check_text(fields: &mut Fields, field: &str, text: Option<&str>, max: usize) {
    let Some(text) = text else { return };
    if text.chars().count() > max {
        fields.wrong(Detail::length(field, 0, max));
    }
    if text.chars().any(char::is_control) {
        fields.wrong(Detail::characters(field, "control characters"));
    }
}

/// One of the shop's roles.
pub(crate) fn check_role(role: &str) -> Result<(), IdentityError> {
    if roles::ALL.contains(&role) { Ok(()) } else { Err(IdentityError::UnknownRole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(check: impl FnOnce(&mut Fields)) -> bool {
        let mut fields = Fields::default();
        check(&mut fields);
        fields.finish().is_err()
    }

    #[test]
    fn addresses_are_told_from_other_texts() {
        for email in ["a@b.co", "Ann.Other+shop@mail.example.com", "jürgen@müller.example"] {
            assert!(!wrong(|f| check_email(f, email)), "{email}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for email in
            ["", "a@", "@b.co", "a@b", "a@b..co", "a b@c.de", "a@b@c.de", "a@-b.de", "a\0@b.de", "a@b.d\ne", &long]
        {
            assert!(wrong(|f| check_email(f, email)), "{email:?}");
        }
    }

    #[test]
    fn passwords_are_bounded_by_characters() {
        assert!(wrong(|f| check_password(f, "123456789")));
        assert!(!wrong(|f| check_password(f, "1234567890")));
        assert!(!wrong(|f| check_password(f, &"ü".repeat(256))));
        assert!(wrong(|f| check_password(f, &"ü".repeat(257))));
    }

    #[test]
    fn names_hold_no_control_characters() {
        assert!(!wrong(|f| check_text(f, "first_name", Some("Zoë"), 100)));
        assert!(!wrong(|f| check_text(f, "first_name", None, 100)));
        assert!(wrong(|f| check_text(f, "first_name", Some("Zo\0"), 100)));
        assert!(wrong(|f| check_text(f, "first_name", Some(&"a".repeat(101)), 100)));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let mut fields = Fields::default();
        check_email(&mut fields, "nobody");
        check_password(&mut fields, "short");
        let Err(IdentityError::InvalidAccount { fields }) = fields.finish() else { panic!("must be refused") };
        assert_eq!(fields.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(), ["email", "password"]);
    }
}
