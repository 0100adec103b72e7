//! Where the value of a setting comes from: its environment variable, else `souk.toml`, else its default.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    path::Path,
};

use anyhow::{Context, Result, anyhow};

use super::{
    file::SettingsFile,
    setting::{Is, Name, PerDomain, Setting, Single},
};

/// Names the file, which must exist then. It cannot be in the file itself.
const FILE_VARIABLE: &str = "SOUK_CONFIG";

/// The file that is read if it exists.
const FILE: &str = "souk.toml";

/// The environment and `souk.toml`, as they were at the start.
pub(crate) struct Sources {
    environment: HashMap<OsString, OsString>,
    file: Option<SettingsFile>,
}

/// A value that is set.
pub(super) struct Found<'a> {
    pub(super) text: &'a str,
    pub(super) origin: Origin,
    /// The name under which it was found, for errors.
    named: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Environment,
    File,
}

impl Sources {
    pub(crate) fn load() -> Result<Self> {
        let environment: HashMap<_, _> = std::env::vars_os().collect();
        let named = environment.get(OsStr::new(FILE_VARIABLE)).filter(|path| !path.is_empty());
        let file = match named {
            Some(path) => Some(SettingsFile::open(Path::new(path)).context(FILE_VARIABLE)?),
            None if Path::new(FILE).exists() => Some(SettingsFile::open(Path::new(FILE))?),
            None => None,
        };
        Ok(Self { environment, file })
    }

    #[cfg(test)]
    pub(super) fn of(environment: &[(&str, &str)], file: &str) -> Result<Self> {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Ok(Self { environment, file: Some(SettingsFile::parse(Path::new(FILE), file)?) })
    }

    /// The value of a setting with a default.
    pub(super) fn read<T>(&self, setting: &Setting<T, Is>) -> Result<T> {
        match self.optional(setting)? {
            Some(value) => Ok(value),
            None => (setting.form)(setting.default.0)
                .map_err(|reason| anyhow!("the default of {} is {reason}", setting.name.variable)),
        }
    }

    /// The value of a setting, if it is set.
    pub(super) fn optional<T, D: Single>(&self, setting: &Setting<T, D>) -> Result<Option<T>> {
        parsed(setting, self.find(setting.name.variable, setting.name.key)?)
    }

    /// The value of a domain's setting, if it is set.
    pub(super) fn of_domain<T>(&self, setting: &Setting<T, PerDomain>, domain: &str) -> Result<Option<T>> {
        let (variable, key) = setting.name.of(domain);
        parsed(setting, self.find(&variable, &key)?)
    }

    /// An empty value counts as not set.
    pub(super) fn find(&self, variable: &str, key: &str) -> Result<Option<Found<'_>>> {
        if let Some(text) = self.environment.get(OsStr::new(variable)) {
            let text = text.to_str().with_context(|| format!("{variable} is not UTF-8"))?;
            if !text.trim().is_empty() {
                return Ok(Some(Found { text, origin: Origin::Environment, named: variable.to_owned() }));
            }
        }
        let Some(file) = &self.file else { return Ok(None) };
        let text = file.values.get(key).filter(|text| !text.trim().is_empty());
        let named = || format!("{key} in {}", file.path.display());
        Ok(text.map(|text| Found { text, origin: Origin::File, named: named() }))
    }

    /// The settings file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// The settings file, if it has secrets and every user of the machine may read it.
    pub(super) fn exposed_file(&self) -> Option<&Path> {
        self.file.as_ref().filter(|file| file.is_exposed).map(|file| file.path.as_path())
    }
}

fn parsed<T, D>(setting: &Setting<T, D>, found: Option<Found<'_>>) -> Result<Option<T>> {
    found.map(|found| (setting.form)(found.text).map_err(|reason| found.wrong(setting.name, &reason))).transpose()
}

impl Found<'_> {
    /// The error for a value of the wrong form, the same for both sources but for the name.
    pub(super) fn wrong(&self, name: Name, reason: &str) -> anyhow::Error {
        anyhow!("{} is \"{}\": {reason}", self.named, name.kind.masked(self.text))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::table::{DOMAIN_PASSWORD, LANES, NATS_URL, START_TIMEOUT};

    fn error<T>(result: Result<T>) -> String {
        result.err().unwrap().to_string()
    }

    #[test]
    fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
        let seconds = |environment: &[(&str, &str)], file| {
            Sources::of(environment, file).unwrap().read(&START_TIMEOUT).unwrap().as_secs()
        };
        let file = "node.start_timeout = \"5s\"";
        assert_eq!(seconds(&[("SOUK_START_TIMEOUT", "3s")], file), 3);
        assert_eq!(seconds(&[], file), 5);
        assert_eq!(seconds(&[("SOUK_START_TIMEOUT", " ")], file), 5, "an empty variable is not set");
        assert_eq!(seconds(&[("SOUK_START_TIMEOUT", "")], "node.start_timeout = \"\""), 60, "nor is an empty key");
        let sources =
            Sources::of(&[("SOUK_DB_PASSWORD_ORDERS", "a")], "[database.passwords]\norders = \"b\"\ncarts = \"c\"");
        let sources = sources.unwrap();
        let password = |domain| sources.of_domain(&DOMAIN_PASSWORD, domain).unwrap();
        assert_eq!([password("orders"), password("carts")], [Some("a".to_owned()), Some("c".to_owned())]);
        assert_eq!((password("payments"), sources.optional(&NATS_URL).unwrap()), (None, None));
    }

    #[test]
    fn a_value_of_the_wrong_form_has_the_same_error_from_both_sources() {
        for (value, reason) in [("many", "is \"many\": not 1 to 64"), ("65", "is \"65\": not 1 to 64")] {
            let of_variable = Sources::of(&[("SOUK_LANES", value)], "").unwrap();
            assert_eq!(error(of_variable.optional(&LANES)), format!("SOUK_LANES {reason}"));
            let of_file = Sources::of(&[], &format!("[node]\nlanes = \"{value}\"")).unwrap();
            assert_eq!(error(of_file.optional(&LANES)), format!("node.lanes in souk.toml {reason}"));
        }
        let number = Sources::of(&[], "node.lanes = 65").unwrap();
        assert_eq!(error(number.optional(&LANES)), "node.lanes in souk.toml is \"65\": not 1 to 64");
    }

    #[test]
    fn a_wrong_value_in_the_file_does_not_matter_below_a_variable() {
        let sources = Sources::of(&[("SOUK_START_TIMEOUT", "3s")], "node.start_timeout = \"soon\"").unwrap();
        assert_eq!(sources.read(&START_TIMEOUT).unwrap(), Duration::from_secs(3));
    }
}
