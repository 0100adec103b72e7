//! Words that the comments, texts and pages of this project do not use, because the field has better ones or because a
//! component can be named. And how long a line and a file may be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::path::{Path, PathBuf};

use sources::{files, root};

/// In the program and in the pages, but for the history in docs/adr.
const WORDS: [&str; 26] = [
    "anybody",
    "breakage",
    "breakages",
    "census",
    "chore",
    "chores",
    "door",
    "doors",
    "everybody",
    "heard",
    "heed",
    "hole",
    "holes",
    "knock",
    "knocked",
    "knocks",
    "leaving",
    "news",
    "nobody",
    "patience",
    "refusal",
    "refusals",
    "somebody",
    "untold",
    "whoever",
    "whomever",
];

/// Those that tests do not use either.
const WORDS_IN_TESTS: [&str; 8] = ["breakage", "breakages", "census", "chore", "chores", "heed", "untold", "whomever"];

const PLACES: [&str; 13] = [
    "CONTRIBUTING.md",
    "README.md",
    "actors",
    "bench",
    "check",
    "docs",
    "gateway",
    "runtime",
    "sandbox",
    "src",
    "stack",
    "subjects",
    "tests",
];

/// The characters of a line, as in rustfmt.toml, which does not break comments and literals.
const MAX_WIDTH: usize = 120;

/// The lines of a file.
const MAX_LINES: usize = 400;

/// Sources that may be longer or wider, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// The files of all places.
fn all_files() -> Vec<PathBuf> {
    let found: Vec<PathBuf> = PLACES.iter().flat_map(|place| files(&root().join(place), &["rs", "md"])).collect();
    assert!(found.len() > 400, "{} files", found.len());
    found
}

/// Where a string literal ends that begins here.
fn end_of_literal(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

/// The comments of a piece of Rust, and the string literals that have several words: one word is a name.
fn texts(source: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(at) = [rest.find("//"), rest.find('"')].into_iter().flatten().min() {
        let (before, from) = rest.split_at(at);
        if from.starts_with("//") {
            let (comment, after) = from.split_once('\n').unwrap_or((from, ""));
            found.push(comment);
            rest = after;
            continue;
        }
        let from = &from[1..];
        let is_character = before.trim_end_matches('\\').ends_with('\'') && from.starts_with('\'');
        if is_character {
            rest = from;
            continue;
        }
        let start = before.trim_end_matches('#');
        let end = if start.ends_with('r') {
            from.find(&format!("\"{}", "#".repeat(before.len() - start.len())))
        } else {
            end_of_literal(from)
        };
        let (literal, after) = from.split_at(end.unwrap_or(from.len()));
        if literal.contains(' ') {
            found.push(literal);
        }
        rest = after.strip_prefix('"').unwrap_or(after);
    }
    found
}

/// The words of a text, in lower case and without what is quoted as code.
fn words(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split('`').step_by(2).collect();
    let prose = prose.join(" ").to_lowercase();
    prose.split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_owned).collect()
}

#[test]
fn texts_have_the_words_of_the_field() {
    let mut hits = Vec::new();
    for file in all_files() {
        let path = file.strip_prefix(root()).unwrap();
        if path.starts_with("docs/adr") {
            continue;
        }
        let content = std::fs::read_to_string(&file).unwrap();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        let (code, unit_tests) = content.split_once("#[cfg(test)]\nmod tests").unwrap_or((content.as_str(), ""));
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        let parts = [
            (if is_page { content.lines().collect() } else { texts(code) }, is_test),
            (if is_page { Vec::new() } else { texts(unit_tests) }, true),
        ];
        for (texts, is_test) in parts {
            let banned: &[&str] = if is_test { &WORDS_IN_TESTS } else { &WORDS };
            for text in texts {
                let words = words(text);
                hits.extend(
                    banned
                        .iter()
                        .filter(|word| words.iter().any(|one| one == *word))
                        .map(|word| format!("{}: {word}: {}", path.display(), text.trim())),
                );
            }
        }
    }
    assert!(hits.is_empty(), "{}", hits.join("\n"));
}

#[test]
fn no_line_and_no_file_is_too_long() {
    let (mut hits, mut excepted) = (Vec::new(), 0);
    for file in all_files().iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let path = file.strip_prefix(root()).unwrap();
        let content = std::fs::read_to_string(file).unwrap();
        let mut long = Vec::new();
        for (number, line) in (1..).zip(content.lines()) {
            let width = line.chars().count();
            if width > MAX_WIDTH {
                long.push(format!("{}:{number}: {width} characters", path.display()));
            }
        }
        let lines = content.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{}: {lines} lines", path.display()));
        }
        if !long.is_empty() && EXCEPTIONS.iter().any(|(exception, _)| path == Path::new(exception)) {
            excepted += 1;
        } else {
            hits.append(&mut long);
        }
    }
    assert!(hits.is_empty(), "{}", hits.join("\n"));
    assert_eq!(excepted, EXCEPTIONS.len(), "an exception is no longer needed");
}

#[test]
fn comments_and_literals_are_found_and_names_are_not() {
    let source =
        "let a = \"a \\\" b\"; // one\nlet b = '\"'; let c = r#\"two \" three\"#; let d = \"name\"; /// four `five`";
    assert_eq!(texts(source), ["a \\\" b", "// one", "two \" three", "/// four `five`"]);
    assert!(!words("four `five`").contains(&"five".to_owned()));
}
