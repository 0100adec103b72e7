//! docs/logging.md: every log message with its level, its target and its fields, from the sources.

use std::{collections::BTreeSet, fmt::Write, path::Path};

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
    let lines: BTreeSet<Line> = SOURCES
        .iter()
        .flat_map(|source| rust_files(&root().join(source)))
        .filter(|path| !path.ends_with("tests.rs") && path.iter().all(|part| part != "tests"))
        .flat_map(|path| lines_of(&path))
        .collect();
    assert!(lines.len() > 80, "log messages are no longer found");
    let mut page = String::from(
        "<!-- Made from the sources by `cargo test -p subjects`: do not edit by hand. -->\n\n# Logging\n\n\
         Log lines go to standard error: JSON from `souk node`, text from `souk up` (`SOUK_LOG_FORMAT`). `SOUK_LOG` \
         filters them by target and level, in the syntax of `tracing`'s `EnvFilter`: \
         `info,runtime::lane=debug,http=off`. Messages are stable; what differs between two lines is in fields. \
         Ids are fields of their own (`order_id`, `payment_id`, `variant_id`, `user_id`, `request_id`).\n\n\
         | Level | Target | Message | Fields |\n| --- | --- | --- | --- |\n",
    );
    for Line { target, level, message, fields } in lines {
        let fields = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(page, "| {} | `{target}` | {message} | {fields} |", LEVELS[level]);
    }
    page
}

fn lines_of(path: &Path) -> Vec<Line> {
    let source = std::fs::read_to_string(path).unwrap();
    let code = source.split("#[cfg(test)]").next().unwrap();
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
