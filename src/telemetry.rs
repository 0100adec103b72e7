//! Logs: on the console, in a file, and errors in a file of their own. Each line is scrubbed before it is written.

mod scrub;

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use scrub::{Scrubbed, Scrubber};
use tracing::{Level, Metadata, Subscriber};
use tracing_appender::{
    non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard},
    rolling::{RollingFileAppender, Rotation},
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::{Layered, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::settings::{LogFiles, LogFormat, LogSettings, Settings};

/// Lines that wait to be written to a file. Further ones are dropped: a slow disk must not stop the shop.
const QUEUE: usize = 16_384;

/// Starts logging. The defaults apply where `SOUK_LOG` and `SOUK_LOG_FORMAT` are not set.
pub(crate) fn start(settings: &Settings, default_filter: &str, default_format: LogFormat) -> Result<Logs> {
    let mut logs = Logs::default();
    subscriber(&LogSettings::of(settings, default_filter, default_format)?, &mut logs)?.init();
    if let Some(path) = settings.exposed_file() {
        tracing::warn!(path = %path.display(), "settings file with secrets is readable by every user");
    }
    Ok(logs)
}

/// RAII guard: dropping it writes the lines that still wait.
#[must_use]
#[derive(Default)]
pub(crate) struct Logs(Vec<(WorkerGuard, ErrorCounter)>);

impl Drop for Logs {
    fn drop(&mut self) {
        let dropped: usize = self.0.iter().map(|(_, counter)| counter.dropped_lines()).sum();
        if dropped > 0 {
            eprintln!("souk: {dropped} log lines were not written, because the disk was too slow");
        }
    }
}

/// What the sinks are layered over.
type Filtered = Layered<EnvFilter, Registry>;

fn subscriber(settings: &LogSettings, logs: &mut Logs) -> Result<impl Subscriber + Send + Sync + use<>> {
    let filter = &settings.filter;
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow!("SOUK_LOG is {filter:?}: {error}"))?;
    let scrubber = Arc::new(Scrubber::new()?);
    let mut sinks: Vec<Box<dyn Layer<Filtered> + Send + Sync>> = Vec::new();
    if let Some(format) = settings.console {
        let scrubber = scrubber.clone();
        let console = move || Scrubbed { scrubber: scrubber.clone(), sink: io::stderr() };
        sinks.push(match format {
            LogFormat::Json => json(console),
            LogFormat::Text => {
                let has_colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                fmt::layer().compact().with_ansi(has_colours).with_writer(console).boxed()
            }
        });
    }
    if let Some(files) = &settings.files {
        let files = Files::open(files, scrubber, logs)?;
        sinks.push(match files.all {
            Some(_) => json(files),
            // Spans stay, whatever their level: errors have their fields.
            None => json(files).with_filter(filter_fn(|line| line.is_span() || is_error(line))).boxed(),
        });
    }
    Ok(tracing_subscriber::registry().with(filter).with(sinks))
}

/// A sink of JSON lines, each with the innermost span around it.
fn json<W>(writer: W) -> Box<dyn Layer<Filtered> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer).boxed()
}

fn is_error(line: &Metadata<'_>) -> bool {
    *line.level() == Level::ERROR
}

/// The log files, `souk.<day>.log` and `errors.<day>.log`. They share one layer, so that a line is formatted once.
struct Files {
    all: Option<NonBlocking>,
    errors: Option<NonBlocking>,
    scrubber: Arc<Scrubber>,
}

impl Files {
    fn open(settings: &LogFiles, scrubber: Arc<Scrubber>, logs: &mut Logs) -> Result<Self> {
        let mut open = |name: &str| {
            // Neither name may begin with the other: the library deletes old files by the beginnings of their names.
            let file = RollingFileAppender::builder()
                .rotation(Rotation::DAILY)
                .filename_prefix(name)
                .filename_suffix("log")
                .max_log_files(settings.keep)
                .build(&settings.directory)
                .with_context(|| format!("SOUK_LOG_DIR is {}", settings.directory.display()))?;
            let queue = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).thread_name("souk-log");
            let (writer, guard) = queue.finish(file);
            logs.0.push((guard, writer.error_counter()));
            anyhow::Ok(writer)
        };
        let all = settings.has_all.then(|| open("souk")).transpose()?;
        let errors = settings.has_errors.then(|| open("errors")).transpose()?;
        Ok(Self { all, errors, scrubber })
    }

    fn writer(&self, is_error: bool) -> Scrubbed<Copies> {
        let errors = self.errors.as_ref().filter(|_| is_error);
        Scrubbed { scrubber: self.scrubber.clone(), sink: Copies([self.all.clone(), errors.cloned()]) }
    }
}

impl<'a> MakeWriter<'a> for Files {
    type Writer = Scrubbed<Copies>;

    fn make_writer(&'a self) -> Self::Writer {
        self.writer(false)
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Self::Writer {
        self.writer(is_error(line))
    }
}

/// Writes each line to every file.
struct Copies([Option<NonBlocking>; 2]);

impl Write for Copies {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        for file in self.0.iter_mut().flatten() {
            file.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// The lines of the files whose names begin so.
    fn lines(directory: &Path, name: &str) -> Vec<Value> {
        let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let named = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
        let texts = named.map(|path| std::fs::read_to_string(path).unwrap());
        texts
            .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
            .collect()
    }

    /// What some code writes to the files.
    fn written(filter: &str, has_all: bool, code: impl FnOnce()) -> (Vec<Value>, Vec<Value>) {
        let directory = tempfile::tempdir().unwrap();
        let files = LogFiles { directory: directory.path().join("logs"), keep: 2, has_all, has_errors: true };
        let settings = LogSettings { filter: filter.into(), console: None, files: Some(files) };
        let mut logs = Logs::default();
        tracing::subscriber::with_default(subscriber(&settings, &mut logs).unwrap(), code);
        drop(logs);
        let directory = directory.path().join("logs");
        (lines(&directory, "souk."), lines(&directory, "errors."))
    }

    fn messages(lines: &[Value]) -> Vec<&str> {
        lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_line_is_json_with_its_time_its_fields_and_those_of_its_span() {
        let (lines, errors) = written("info", true, || {
            let span = tracing::info_span!(target: "span", "request", request_id = "r-1");
            let _in_span = span.enter();
            tracing::info!(order_id = 7, to = "ann@example.com", "order created");
            tracing::error!("order lost");
            tracing::debug!("not written");
        });
        assert_eq!(messages(&lines), ["order created", "order lost"]);
        assert_eq!(messages(&errors), ["order lost"]);
        let line = &lines[0];
        assert!(chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).is_ok(), "{line}");
        assert_eq!((line["level"].as_str(), line["order_id"].as_i64()), (Some("INFO"), Some(7)));
        assert_eq!(line["target"], module_path!());
        assert_eq!(line["span"]["request_id"], "r-1");
        assert_eq!(line["to"], "[redacted]");
        assert_eq!(errors[0]["span"]["request_id"], "r-1");
    }

    #[test]
    fn errors_may_have_the_only_file() {
        let (lines, errors) = written("info", false, || {
            let span = tracing::info_span!(target: "span", "request", request_id = "r-1");
            let _in_span = span.enter();
            tracing::info!("order created");
            tracing::error!("order lost");
        });
        assert_eq!((messages(&lines), messages(&errors)), (vec![], vec!["order lost"]));
        assert_eq!(errors[0]["span"]["request_id"], "r-1");
    }

    #[test]
    fn requests_over_http_and_spans_have_levels_of_their_own() {
        let code = || {
            let span = tracing::info_span!(target: "span", "request", request_id = "r-1");
            let _in_span = span.enter();
            tracing::info!(target: "http", "request completed");
            tracing::debug!(target: "http", "request forwarded");
            tracing::info!("order created");
            tracing::warn!("order late");
        };
        let (lines, _) = written("warn,http=info", true, code);
        assert_eq!(messages(&lines), ["request completed", "order late"]);
        assert!(lines[1]["span"].is_null(), "{}", lines[1]);
        let (lines, _) = written("info,http=off", true, code);
        assert_eq!(messages(&lines), ["order created", "order late"]);
        let (lines, _) = written("warn,span=info,http=debug", true, code);
        assert_eq!(messages(&lines), ["request completed", "request forwarded", "order late"]);
        assert_eq!(lines[2]["span"]["request_id"], "r-1");
    }
}
