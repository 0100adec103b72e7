//! What `souk config check` prints.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{
    LogFormat, LogSettings, Servers, Settings, Sources, payments, sandbox,
    setting::{DefaultText, Row},
    sources::Origin,
    stack,
    table::GROUPS,
};

/// Every setting with its value and where it comes from, and what is wrong.
pub(crate) struct Report {
    file: Option<PathBuf>,
    lines: Vec<Line>,
    pub(crate) warnings: Vec<String>,
    pub(crate) errors: Vec<String>,
}

struct Line {
    key: String,
    from: &'static str,
    value: String,
}

impl Report {
    pub(crate) fn of(sources: Sources) -> Self {
        let exposed = sources.exposed_file();
        let warnings = exposed.map(|path| format!("{} has secrets and every user may read it", path.display()));
        let mut report = Self {
            file: sources.file().map(Path::to_owned),
            lines: Vec::new(),
            warnings: warnings.into_iter().collect(),
            errors: Vec::new(),
        };
        for row in GROUPS.iter().flat_map(|group| group.rows) {
            for (variable, key) in row.names() {
                match line(&sources, row, &variable, key) {
                    Ok(line) => report.lines.push(line),
                    Err(error) => report.errors.push(format!("{error:#}")),
                }
            }
        }
        // They read values, so one of a wrong form would be reported twice.
        if report.errors.is_empty() {
            report.errors.extend(violated_rules(sources));
        }
        report
    }
}

fn line(sources: &Sources, row: &Row, variable: &str, key: String) -> Result<Line> {
    let Some(found) = sources.find(variable, &key)? else {
        let (DefaultText::Is(text) | DefaultText::Words(text) | DefaultText::PerDomain(text)) = row.default;
        return Ok(Line { key, from: "default", value: text.replace('`', "") });
    };
    (row.check)(found.text).map_err(|reason| found.wrong(row.name, &reason))?;
    let from = match found.origin {
        Origin::Environment => "environment",
        Origin::File => "souk.toml",
    };
    Ok(Line { key, from, value: row.name.kind.masked(found.text) })
}

/// The errors of settings that do not fit together.
fn violated_rules(sources: Sources) -> Vec<String> {
    let settings = match Settings::of(sources) {
        Ok(settings) => settings,
        Err(error) => return vec![format!("{error:#}")],
    };
    let sources = &settings.sources;
    let rules = [
        LogSettings::of(&settings, "info", LogFormat::Json).map(drop),
        Servers::named(sources, &[]).map(drop),
        stack::tls(sources).map(drop),
        payments::check(sources),
        sandbox::webhooks(sources).map(drop),
    ];
    rules.into_iter().filter_map(|rule| rule.err().map(|error| format!("{error:#}"))).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(path) => writeln!(f, "settings file: {}", path.display())?,
            None => writeln!(f, "settings file: none")?,
        }
        let width = self.lines.iter().map(|line| line.key.len()).max().unwrap_or_default();
        for Line { key, from, value } in &self.lines {
            writeln!(f, "{key:width$}  {from:11}  {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(environment: &[(&str, &str)], file: &str) -> Report {
        Report::of(Sources::of(environment, file).unwrap())
    }

    #[test]
    fn a_report_has_every_value_with_its_source_and_without_secrets() {
        let environment = [("SOUK_LANES", "2"), ("DATABASE_URL", "postgres://souk:s3cret@db/postgres")];
        let file = "nats.url = \"nats://n1\"\n[node]\nlanes = 4\nstart_timeout = \"5s\"\n\
            [demo]\npassword = \"s3cret\"\n[database.passwords]\norders = \"s3cret\"\n";
        let report = report(&environment, file);
        assert!(report.errors.is_empty() && report.warnings.is_empty(), "{:?}", report.errors);
        let text = report.to_string();
        assert!(text.starts_with("settings file: souk.toml\n") && !text.contains("s3cret"), "{text}");
        for (key, from, value) in [
            ("node.lanes", "environment", "2"),
            ("node.start_timeout", "souk.toml", "5s"),
            ("node.drain_seconds", "default", "20"),
            ("database.url", "environment", "postgres://souk:***@db/postgres"),
            ("database.passwords.orders", "souk.toml", "***"),
            ("database.passwords.carts", "default", "that of DATABASE_URL"),
            ("demo.password", "souk.toml", "***"),
        ] {
            let line = report.lines.iter().find(|line| line.key == key).unwrap();
            assert_eq!((line.from, line.value.as_str()), (from, value), "{key}");
        }
    }

    #[test]
    fn a_report_has_every_error() {
        let errors = report(&[("SOUK_LANES", "many")], "shop.currency = \"EURO\"").errors;
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].starts_with("SOUK_LANES is ") && errors[1].starts_with("shop.currency in souk.toml is "));
        let errors = report(&[], "log.sinks = \"file\"\npayments.provider = \"stripe\"\nstack.ca = \"ca.pem\"").errors;
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert_eq!(
            report(&[("DATABASE_URL", "nonsense")], "").errors,
            ["DATABASE_URL is \"nonsense\": not a URL of a database"]
        );
    }
}
