//! Words that the comments, texts and pages of this project do not use, because the field has better ones or because a
//! component can be named. And how long a line and a file may be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::path::{Path, PathBuf};

use sources::{files, root};

/// Nowhere but in the history in docs/adr: not in texts, names, tests, SQL or configuration.
const WORDS: [&str; 43] = [
    "anybody",
    "blame",
    "breakage",
    "breakages",
    "census",
    "chore",
    "chores",
    "door",
    "doors",
    "era",
    "eras",
    "everybody",
    "heard",
    "hearer",
    "hears",
    "heed",
    "hole",
    "holes",
    "knock",
    "knocked",
    "knocks",
    "leaving",
    "news",
    "nobody",
    "nobodys",
    "park",
    "parked",
    "parks",
    "patience",
    "refill",
    "refilled",
    "refills",
    "refusal",
    "refusals",
    "somebody",
    "story",
    "teller",
    "tells",
    "told",
    "unheard",
    "untold",
    "whoever",
    "whomever",
];

/// The user without rights of Unix, which has no other name.
const UNIX_USER: &str = "nobody";

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

/// What is neither code nor a page: SQL, configuration, scripts.
const OTHER_PLACES: [&str; 11] = [
    ".ci",
    ".env.example",
    "Dockerfile",
    "Makefile",
    "compose.yaml",
    "deploy",
    "migrations",
    "nats",
    "runtime",
    "scripts",
    "souk.example.toml",
];

/// Their extensions; the empty one is that of scripts.
const OTHERS: [&str; 13] =
    ["", "conf", "env", "example", "json", "py", "service", "sh", "socket", "sql", "toml", "yaml", "yml"];

/// The characters of a line, as in rustfmt.toml, which does not break comments and literals.
const MAX_WIDTH: usize = 120;

/// The lines of a file.
const MAX_LINES: usize = 400;

/// Sources that may be longer or wider, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// The files of all places.
fn all_files() -> Vec<PathBuf> {
    let found: Vec<PathBuf> =
        PLACES.iter().flat_map(|place| files(&root().join(place), &["rs", "md", "sql"])).collect();
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

/// The comments and string literals of a piece of Rust, and the code between them.
fn texts(source: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut found, mut code, mut rest) = (Vec::new(), Vec::new(), source);
    let is_start = |text: &str| text.starts_with('"') || text.starts_with("//");
    while let Some((at, _)) = rest.match_indices(['"', '/']).find(|(at, _)| is_start(&rest[*at..])) {
        let (before, from) = rest.split_at(at);
        code.push(before);
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
        if literal != UNIX_USER {
            found.push(literal);
        }
        rest = after.strip_prefix('"').unwrap_or(after);
    }
    code.push(rest);
    (found, code)
}

/// A text without what is quoted as code.
fn prose(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The words of a text in lower case, those of names too: `dead_letter` and `DeadLetter` have two.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut was_lower) = (vec![String::new()], false);
    for character in text.chars() {
        let begins = !character.is_alphanumeric() || was_lower && character.is_uppercase();
        was_lower = character.is_lowercase();
        if begins {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            words.last_mut().expect("there is a word").extend(character.to_lowercase());
        }
    }
    words
}

/// The banned words of a text, with the text.
fn hits<'t>(path: &'t Path, text: &'t str) -> impl Iterator<Item = String> + 't {
    let words = words(text);
    let found = WORDS.iter().filter(move |word| words.iter().any(|one| one == *word));
    found.map(move |word| format!("{}: {word}: {}", path.display(), text.trim()))
}

#[test]
fn texts_and_names_have_the_words_of_the_field() {
    let others = OTHER_PLACES.iter().flat_map(|place| files(&root().join(place), &OTHERS));
    let mut found = Vec::new();
    for file in all_files().into_iter().chain(others) {
        let path = file.strip_prefix(root()).unwrap();
        if path.starts_with("docs/adr") || path == Path::new(file!()) {
            continue;
        }
        let content = std::fs::read_to_string(&file).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => {
                let (texts, code) = texts(&content);
                found.extend(texts.into_iter().flat_map(|text| hits(path, &prose(text)).collect::<Vec<_>>()));
                found.extend(code.into_iter().flat_map(str::lines).flat_map(|line| hits(path, line)));
            }
            Some("md") => found.extend(content.lines().flat_map(|line| hits(path, &prose(line)).collect::<Vec<_>>())),
            _ => found.extend(content.lines().flat_map(|line| hits(path, line))),
        }
        found.extend(hits(path, &path.display().to_string()));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_line_and_no_file_is_too_long() {
    let (mut hits, mut excepted) = (Vec::new(), 0);
    for file in all_files().iter().filter(|file| file.extension().is_some_and(|extension| extension != "md")) {
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
fn comments_literals_and_names_are_found() {
    let source =
        "let a = \"a \\\" b\"; // one\nlet b = '\"'; let c = r#\"two \" three\"#; let d = \"nobody\"; /// four `five`";
    let (texts, code) = texts(source);
    assert_eq!(texts, ["a \\\" b", "// one", "two \" three", "/// four `five`"]);
    assert_eq!(code.concat(), "let a = ; let b = ''; let c = r##; let d = ; ");
    assert_eq!(prose("four `five` six"), "four   six");
    let words = words("source_era, ParkedAt");
    assert!(["source", "era", "parked", "at"].iter().all(|word| words.iter().any(|one| one == word)), "{words:?}");
}
