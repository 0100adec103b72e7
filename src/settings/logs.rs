//! Where log lines go, and which.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, Result, bail};

use super::{optional, read, within};

/// The format of lines on the console. Those in files are always JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("neither json nor text"),
        }
    }
}

/// Log files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFiles {
    /// `SOUK_LOG_DIR`: the directory of the files.
    pub directory: PathBuf,
    /// `SOUK_LOG_KEEP`: the days of which files are kept.
    pub keep: usize,
    /// Whether there is a file with all lines.
    pub has_all: bool,
    /// Whether there is a file with errors only.
    pub has_errors: bool,
}

/// The settings of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// `SOUK_LOG`: which lines are written.
    pub filter: String,
    /// `SOUK_LOG_FORMAT`; `None` if the console is not among the sinks.
    pub console: Option<LogFormat>,
    /// `None` if no file is among the sinks.
    pub files: Option<LogFiles>,
}

impl LogSettings {
    pub(crate) fn from_env(default_filter: &str, default_format: LogFormat) -> Result<Self> {
        let sinks = Sinks::named(&read("SOUK_LOG_SINKS", "console".to_owned())?)?;
        let format = read("SOUK_LOG_FORMAT", default_format)?;
        let keep = within("SOUK_LOG_KEEP", read("SOUK_LOG_KEEP", 14)?, 2, 3650)?;
        let files = if sinks.file || sinks.errors {
            let directory = optional("SOUK_LOG_DIR")?;
            let directory = directory.context("SOUK_LOG_SINKS has a file, so SOUK_LOG_DIR must be set")?.into();
            Some(LogFiles { directory, keep, has_all: sinks.file, has_errors: sinks.errors })
        } else {
            None
        };
        let filter = read("SOUK_LOG", default_filter.to_owned())?;
        Ok(Self { filter, console: sinks.console.then_some(format), files })
    }
}

/// `SOUK_LOG_SINKS`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sinks {
    console: bool,
    file: bool,
    errors: bool,
}

impl Sinks {
    fn named(text: &str) -> Result<Self> {
        let mut sinks = Self::default();
        for name in text.split(',').map(str::trim) {
            match name {
                "console" => sinks.console = true,
                "file" => sinks.file = true,
                "errors" => sinks.errors = true,
                _ => bail!("SOUK_LOG_SINKS has {name:?}, which is none of console, file and errors"),
            }
        }
        Ok(sinks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sink_is_switched_on_by_its_name() {
        let all = Sinks { console: true, file: true, errors: true };
        assert_eq!(Sinks::named("console, file,errors").unwrap(), all);
        assert_eq!(Sinks::named("file").unwrap(), Sinks { file: true, ..Sinks::default() });
        let said = Sinks::named("console,syslog").unwrap_err().to_string();
        assert!(said.contains("\"syslog\""), "{said}");
    }
}
