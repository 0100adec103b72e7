//! Where log lines go, and which.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, Result};

use super::{
    Settings,
    table::{LOG, LOG_DIR, LOG_FORMAT, LOG_KEEP, LOG_SINKS},
};

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
    /// The directory of the files.
    pub directory: PathBuf,
    /// The days of which files are kept.
    pub keep: usize,
    /// Whether there is a file with all lines.
    pub has_all: bool,
    /// Whether there is a file with errors only.
    pub has_errors: bool,
}

/// The settings of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Which lines are written.
    pub filter: String,
    /// `None` if the console is not among the sinks.
    pub console: Option<LogFormat>,
    /// `None` if no file is among the sinks.
    pub files: Option<LogFiles>,
}

impl LogSettings {
    pub(crate) fn of(settings: &Settings, default_filter: &str, default_format: LogFormat) -> Result<Self> {
        let sources = &settings.sources;
        let sinks = sources.read(&LOG_SINKS)?;
        let format = sources.optional(&LOG_FORMAT)?.unwrap_or(default_format);
        let keep = sources.read(&LOG_KEEP)?;
        let files = if sinks.file || sinks.errors {
            let directory = sources.optional(&LOG_DIR)?;
            let directory = directory.context("SOUK_LOG_SINKS has a file, so SOUK_LOG_DIR must be set")?;
            Some(LogFiles { directory, keep, has_all: sinks.file, has_errors: sinks.errors })
        } else {
            None
        };
        let filter = sources.optional(&LOG)?.unwrap_or_else(|| default_filter.to_owned());
        Ok(Self { filter, console: sinks.console.then_some(format), files })
    }
}

/// Where lines go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sinks {
    console: bool,
    file: bool,
    errors: bool,
}

impl FromStr for Sinks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut sinks = Self::default();
        for name in text.split(',').map(str::trim) {
            match name {
                "console" => sinks.console = true,
                "file" => sinks.file = true,
                "errors" => sinks.errors = true,
                _ => return Err(format!("{name:?} is none of console, file and errors")),
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
        assert_eq!("console, file,errors".parse(), Ok(all));
        assert_eq!("file".parse(), Ok(Sinks { file: true, ..Sinks::default() }));
        assert!("console,syslog".parse::<Sinks>().unwrap_err().contains("\"syslog\""));
    }
}
