//! Validation of accounts.

use contract::{Detail, DetailCode, Fields, LineBreaks};
use subjects::{identity::IdentityError, roles};

/// Returns all invalid fields as one error.
pub(crate) fn finish(fields: Fields) -> Result<(), IdentityError> {
    fields.finish().map_err(|fields| IdentityError::InvalidAccount { fields })
}

/// Whether a text can be the e-mail address of an account. Others need no look-up.
pub(crate) fn may_be_email(text: &str) -> bool {
    let mut fields = Fields::default();
    fields.email("email", text);
    fields.finish().is_ok()
}

/// Checks the length: enough to resist guessing, and bounded because it is hashed.
pub(crate) fn check_password(fields: &mut Fields, password: &str) {
    if !(10..=256).contains(&password.chars().count()) {
        fields.wrong(Detail::length("password", 10, 256));
    }
}

/// The error for a password that guessing programs try first.
pub(crate) fn easily_guessed() -> IdentityError {
    let message = "is easily guessed: use a longer one, or unrelated words";
    IdentityError::InvalidAccount { fields: vec![Detail::new("password", DetailCode::Guessed, message)] }
}

/// Checks an optional name or number.
pub(crate) fn check_text(fields: &mut Fields, field: &str, text: Option<&str>, max: usize) {
    if let Some(text) = text {
        fields.text(field, text, 0..=max, LineBreaks::Forbidden);
    }
}

/// Rejects an unknown role.
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
        fields.email("email", "nobody");
        check_password(&mut fields, "short");
        let Err(IdentityError::InvalidAccount { fields }) = finish(fields) else { panic!("must be rejected") };
        assert_eq!(fields.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(), ["email", "password"]);
    }
}
