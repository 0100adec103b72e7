//! The types of the table of settings.

use subjects::DOMAINS;

/// A setting with values of the type `T`. `D` says what applies where it is not set.
pub(crate) struct Setting<T, D> {
    pub(super) name: Name,
    pub(super) form: Form<T>,
    pub(super) default: D,
}

/// Parses a value; the error says what the value is not.
pub(super) type Form<T> = fn(&str) -> Result<T, String>;

/// A default value, in the form of the setting.
pub(crate) struct Is(pub(super) &'static str);

/// A default that depends on other settings or on the machine, or none at all, in words.
pub(crate) struct Words(#[allow(dead_code, reason = "the row has it too")] pub(super) &'static str);

/// As [`Words`], of a setting that every domain has: `<DOMAIN>` in its variable and `<domain>` in its key stand for the
/// domain's name.
pub(crate) struct PerDomain(#[allow(dead_code, reason = "the row has it too")] pub(super) &'static str);

/// The default of a setting that a whole process has once.
pub(crate) trait Single {}
impl Single for Is {}
impl Single for Words {}

/// The names of a setting, and how it is written.
#[derive(Clone, Copy)]
pub(super) struct Name {
    /// The environment variable.
    pub(super) variable: &'static str,
    /// The key in `souk.toml`, with its section.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
}

/// How a value is written in `souk.toml`, and whether it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    /// Texts without commas. Separated by commas in a variable.
    List,
    /// May contain a password.
    Url,
    /// A list of these.
    Urls,
    Secret,
}

/// Settings that belong together, under one heading of docs/configuration.md.
pub(super) struct Group {
    #[cfg_attr(not(test), allow(dead_code, reason = "for the generated files"))]
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

/// One setting, without its type.
pub(super) struct Row {
    pub(super) name: Name,
    pub(super) default: DefaultText,
    #[cfg_attr(not(test), allow(dead_code, reason = "for the generated files"))]
    pub(super) example: &'static str,
    /// A description in Markdown.
    #[cfg_attr(not(test), allow(dead_code, reason = "for the generated files"))]
    pub(super) about: &'static str,
    pub(super) check: fn(&str) -> Result<(), String>,
}

/// See [`Is`], [`Words`] and [`PerDomain`].
pub(super) enum DefaultText {
    Is(&'static str),
    Words(&'static str),
    PerDomain(&'static str),
}

impl<T, D> Setting<T, D> {
    pub(super) fn variable(&self) -> &'static str {
        self.name.variable
    }
}

impl Name {
    /// The variable and the key of one domain.
    pub(super) fn of(&self, domain: &str) -> (String, String) {
        (self.variable.replace("<DOMAIN>", &domain.to_uppercase()), self.key.replace("<domain>", domain))
    }
}

impl Kind {
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Urls)
    }

    /// The value without passwords.
    pub(super) fn masked(self, text: &str) -> String {
        match self {
            Self::Secret => MASK.to_owned(),
            Self::Url | Self::Urls => without_password(text),
            Self::Text | Self::Number | Self::Flag | Self::List if text.contains(char::is_control) => {
                text.escape_debug().to_string()
            }
            Self::Text | Self::Number | Self::Flag | Self::List => text.to_owned(),
        }
    }

    pub(super) fn has_password(self, text: &str) -> bool {
        match self {
            Self::Secret => !text.trim().is_empty(),
            Self::Url | Self::Urls => without_password(text) != text,
            Self::Text | Self::Number | Self::Flag | Self::List => false,
        }
    }
}

const MASK: &str = "***";

/// A URL, or several, without what comes before the last `@`, which may have passwords with any characters.
fn without_password(text: &str) -> String {
    // As a parameter: `?password=`.
    if text.to_lowercase().contains("password") {
        return MASK.to_owned();
    }
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let Some((user, host)) = rest.rsplit_once('@') else { return text.to_owned() };
    // A user without a password is a token of NATS.
    let user = user.split_once(':').map_or(String::new(), |(user, _)| format!("{user}:"));
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{user}{MASK}@{host}")
}

impl Row {
    /// The variables and keys: one of each, or those of every domain.
    pub(super) fn names(&self) -> Vec<(String, String)> {
        match self.default {
            DefaultText::PerDomain(_) => DOMAINS.iter().map(|domain| self.name.of(domain)).collect(),
            DefaultText::Is(_) | DefaultText::Words(_) => {
                vec![(self.name.variable.to_owned(), self.name.key.to_owned())]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_masked() {
        assert_eq!(Kind::Secret.masked("hunter2"), "***");
        for (url, masked) in [
            ("postgres://db:5432/postgres", "postgres://db:5432/postgres"),
            ("postgres://souk:s3cret@db/orders", "postgres://souk:***@db/orders"),
            ("postgres://souk:a@b/c?d@db/orders?sslmode=require", "postgres://souk:***@db/orders?sslmode=require"),
            ("postgres://db/orders?user=souk&password=s3cret", "***"),
            ("nats://token@n1:4222", "nats://***@n1:4222"),
            ("souk:s3cret@n1:4222", "souk:***@n1:4222"),
        ] {
            assert_eq!(Kind::Url.masked(url), masked);
        }
        assert_eq!(Kind::Urls.masked("nats://a:x@n1,nats://b:y@n2"), "nats://a:***@n2");
        assert_eq!(Kind::Text.masked("O'Neill & Co"), "O'Neill & Co");
        assert_eq!(Kind::Text.masked("two\nlines"), "two\\nlines");
    }
}
