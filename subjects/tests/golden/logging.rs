//! docs/logging.md: every log message with its level, its target and its fields, from the sources.

use std::{
    collections::BTreeSet,
    fmt::Write,
    path::{Path, PathBuf},
};

use crate::sources::{root, rust_files};

/// Where log messages are written. Tests, benches and checks of a terminal print instead.
const SOURCES: [&str; 8] =
    ["runtime/src", "actors", "gateway/src", "gateway/server/src", "check/src", "stack/src", "sandbox/src", "src"];

const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// One call of `tracing`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    target: String,
    level: usize,
    message: String,
    fields: Vec<String>,
}

pub fn page() -> String {
    let files: Vec<PathBuf> = SOURCES
        .iter()
        .flat_map(|source| rust_files(&root().join(source)))
        .filter(|path| !path.ends_with("tests.rs") && path.iter().all(|part| part != "tests"))
        .collect();
    let lines: BTreeSet<Line> = files.iter().flat_map(|path| lines_of(path)).collect();
    assert!(lines.len() > 80, "log messages are no longer found");
    let spans: BTreeSet<Line> = files.iter().flat_map(|path| spans_of(path)).collect();
    assert!(spans.len() > 3, "spans are no longer found");
    let mut page = String::from(
        "<!-- Made from the sources by `cargo test -p subjects`: do not edit by hand. -->\n\n# Logging\n\n\
         Where lines go, and which: [operations.md](operations.md#logs). Messages are stable; what differs between \
         two lines is in fields. Ids are fields of their own (`order_id`, `payment_id`, `variant_id`, `user_id`, \
         `request_id`). A line of JSON also has `timestamp`, `level`, `target` and `message`, and `span`, the fields \
         of the span that it was written in.\n\n\
         ## Spans\n\n\
         All have the target `span` and the level `info`.\n\n\
         | Span | In | Fields |\n| --- | --- | --- |\n",
    );
    for Line { target, message, fields, .. } in spans {
        let _ = writeln!(page, "| {message} | `{target}` | {} |", quoted(&fields));
    }
    page.push_str("\n## Lines\n\n| Level | Target | Message | Fields |\n| --- | --- | --- | --- |\n");
    for Line { target, level, message, fields } in lines {
        let _ = writeln!(page, "| {} | `{target}` | {message} | {} |", LEVELS[level], quoted(&fields));
    }
    page
}

fn quoted(fields: &[String]) -> String {
    fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ")
}

fn code_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().split("#[cfg(test)]").next().unwrap().to_owned()
}

/// The spans, by the modules that open them. The name comes after the target, before the fields.
fn spans_of(path: &Path) -> Vec<Line> {
    let code = code_of(path);
    let span = |call: &str| {
        let arguments = arguments(call);
        assert_eq!(arguments[0], "target: \"span\"", "{}: a span of another target", path.display());
        let fields = arguments[2..].iter().map(|field| field_name(field)).collect();
        Line { target: module(path), level: 2, message: text(&arguments[1]), fields }
    };
    code.split("tracing::info_span!(").skip(1).map(span).collect()
}

fn lines_of(path: &Path) -> Vec<Line> {
    let code = code_of(path);
    let mut lines = Vec::new();
    for (level, name) in LEVELS.iter().enumerate() {
        for call in code.split(&format!("tracing::{name}!(")).skip(1) {
            lines.push(line(&module(path), level, &arguments(call)));
        }
    }
    lines
}

fn line(module: &str, level: usize, arguments: &[String]) -> Line {
    let (message, fields) = arguments.split_last().unwrap();
    let mut line = Line { target: module.to_owned(), level, message: text(message), fields: Vec::new() };
    for field in fields {
        match field.strip_prefix("target:") {
            Some(target) => line.target = text(target.trim()),
            None => line.fields.push(field_name(field)),
        }
    }
    line
}

/// The text of a string literal, which may go on in the next line.
fn text(literal: &str) -> String {
    let inner = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.unwrap_or_else(|| panic!("a log line without a message: {literal}"));
    inner.split("\\\n").map(str::trim).collect::<Vec<_>>().join(" ")
}

/// `domain = self.domain`, `%error`, `?names` and `context.request_id` are named as `tracing` names them.
fn field_name(field: &str) -> String {
    let name = field.split_once('=').map_or(field, |(name, _)| name).trim();
    name.trim_start_matches(['%', '?']).to_owned()
}

/// The arguments of a call, from behind its opening parenthesis.
fn arguments(call: &str) -> Vec<String> {
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    let mut arguments = vec![String::new()];
    for character in call.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ if in_text => {}
            ')' if depth == 0 => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(character);
    }
    arguments.iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// The module of a source file, which is the target of its lines.
fn module(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap().with_extension("");
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
    let src = parts.iter().position(|part| *part == "src").unwrap();
    let name = if src == 0 { "souk" } else { parts[src - 1] };
    let inner = parts[src + 1..].iter().filter(|part| !["lib", "main"].contains(part));
    std::iter::once(&name).chain(inner).copied().collect::<Vec<_>>().join("::")
}
