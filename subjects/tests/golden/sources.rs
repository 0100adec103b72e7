//! Information that only the source text has: doc comments of types, the domains that react to an event, error codes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A domain's messages: its own file, then those below it.
fn messages_of(domain: &str) -> String {
    let mut files = vec![root().join(format!("subjects/src/{domain}.rs"))];
    let children = root().join("subjects/src").join(domain);
    if children.is_dir() {
        files.extend(rust_files(&children));
    }
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<Vec<_>>().join("\n")
}

/// The kind and the type of every message that is declared, by the module that declares it.
pub fn declared_messages() -> Vec<(String, String, String)> {
    let declared = |line: &str| {
        let (kind, rest) = line.split_once("!(")?;
        let is_message = ["query", "command", "event"].contains(&kind);
        is_message.then(|| (kind.to_owned(), rest.split(',').next().unwrap().trim().to_owned()))
    };
    let mut found = Vec::new();
    let sources = root().join("subjects/src");
    for path in rust_files(&sources) {
        let module = path.strip_prefix(&sources).unwrap().iter().next().unwrap().to_str().unwrap();
        let module = module.trim_end_matches(".rs").to_owned();
        let source = std::fs::read_to_string(path).unwrap();
        found.extend(source.lines().filter_map(declared).map(|(kind, message)| (module.clone(), kind, message)));
    }
    found
}

/// The module doc comment of a domain's messages.
pub fn words_about(domain: &str) -> String {
    let source = messages_of(domain);
    let words: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    words.join(" ")
}

/// The doc comment of a type.
pub fn words_above(domain: &str, message: &str) -> String {
    let source = messages_of(domain);
    let lines: Vec<&str> = source.lines().collect();
    let start = format!("pub struct {message} ");
    let place = lines.iter().position(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {message}"));
    let above = lines[..place].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut words: Vec<&str> = above.filter_map(|line| line.strip_prefix("///")).map(str::trim).collect();
    words.reverse();
    words.join(" ")
}

/// The operations that every domain serves besides its own, with their doc comments.
pub fn common_operations(module: &str) -> Vec<(String, String)> {
    let source = read("runtime/contract/src/subject.rs");
    let module = source.split(&format!("pub mod {module} {{")).nth(1).unwrap().split("\n}").next().unwrap();
    let lines: Vec<&str> = module.lines().map(str::trim).collect();
    let pairs = lines.iter().zip(&lines[1..]);
    let named = pairs.filter_map(|(words, constant)| {
        let operation = constant.strip_prefix("pub const ")?.split('"').nth(1)?;
        Some((operation.to_owned(), words.strip_prefix("/// ")?.to_owned()))
    });
    let found: Vec<_> = named.collect();
    assert_eq!(found.len(), lines.iter().filter(|line| line.starts_with("pub const")).count());
    found
}

/// The domains that react to each event, by the name of its type: those that register a handler.
pub fn reactions() -> BTreeMap<String, BTreeSet<String>> {
    let mut reactions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for domain in subjects::DOMAINS {
        let source = read(&format!("actors/{domain}/src/lib.rs"));
        for rest in ["event::<", "projection::<"].into_iter().flat_map(|verb| source.split(verb).skip(1)) {
            let path = rest.split('>').next().unwrap();
            let name = path.rsplit("::").next().unwrap();
            reactions.entry(name.to_owned()).or_default().insert(domain.to_owned());
        }
    }
    reactions
}

/// Every error code in the source of the runtime, the contract or the gateway, with its kind if it is given there.
pub fn service_error_codes() -> BTreeSet<(String, Option<String>)> {
    let mut codes = BTreeSet::new();
    for directory in ["runtime/src", "runtime/contract/src", "gateway/src"] {
        for path in rust_files(&root().join(directory)) {
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            for call in ["ServiceError::new(", "ApiError::new(", "Self::new(", "of_field("] {
                codes.extend(code.split(call).skip(1).filter_map(code_of));
            }
        }
    }
    codes
}

/// The second argument of a call, if it is a literal in snake_case.
fn code_of(arguments: &str) -> Option<(String, Option<String>)> {
    let (first, rest) = arguments.split_once(',')?;
    let literal = rest.trim_start().strip_prefix('"')?.split('"').next()?;
    let is_code = !literal.is_empty() && literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let kind = first.trim().split_once("ErrorKind::").map(|(_, kind)| kind.to_owned());
    is_code.then(|| (literal.to_owned(), kind))
}

pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files.extend(rust_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files
}
