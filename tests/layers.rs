//! What the layers may not know of each other, as far as no type holds it (docs/architecture.md).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::path::{Path, PathBuf};

use runtime::Allowed;
use sources::{files, root};

/// The Rust sources below a directory that are built into the program.
fn program(directory: &str) -> Vec<PathBuf> {
    let mut found = files(&root().join(directory), &["rs"]);
    found.retain(|file| file.strip_prefix(root()).unwrap().components().all(|part| part.as_os_str() != "tests"));
    assert!(!found.is_empty(), "nothing in {directory}");
    found
}

/// Lines of a directory's sources that hold one of these texts, outside unit tests.
fn lines_with(directory: &str, texts: &[&str], is_exempt: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for file in program(directory).iter().filter(|file| !is_exempt(file)) {
        let source = std::fs::read_to_string(file).unwrap();
        let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let found = code.lines().filter(is_code).filter(|line| texts.iter().any(|text| line.contains(text)));
        lines.extend(found.map(|line| format!("{}: {}", file.display(), line.trim())));
    }
    lines
}

fn none_of(lines: &[String]) {
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// Locks are those of rows, in one order; the transaction and its version numbers are the runtime's.
#[test]
fn no_domain_takes_an_advisory_lock_or_begins_a_transaction_or_numbers_an_event() {
    let words = ["advisory", ".begin()", ".commit()", ".rollback()", "Version::for_test", "async_nats", ".pool()"];
    none_of(&lines_with("actors", &words, is_provider));
}

/// A domain's SQL is in its store.
#[test]
fn no_sql_outside_a_store() {
    let is_store = |file: &Path| {
        file.components().any(|part| ["store", "store.rs"].map(AsRef::as_ref).contains(&part.as_os_str()))
    };
    let words = ["sqlx::query", "query_as(", "query_scalar("];
    none_of(&lines_with("actors", &words, is_store));
    none_of(&lines_with("gateway/src", &["sqlx"], |_| false));
}

/// A setting is read through its row of the table. Of the console, `telemetry.rs` reads what others define.
#[test]
fn no_setting_is_read_from_the_environment_directly() {
    let exempt = ["settings/sources.rs", "settings/pages.rs", "telemetry.rs"];
    none_of(&lines_with("src", &["env::var"], |file| exempt.iter().any(|exempt| file.ends_with(exempt))));
    none_of(&lines_with("stack/src", &["var(\"SOUK", "var_os(\"SOUK"], |_| false));
}

/// The runtime knows no shop.
#[test]
fn the_runtime_has_no_word_of_the_shop() {
    let words = ["order", "cart", "payment", "product", "stock", "refund"].map(|word| format!("{word}_id"));
    let words: Vec<_> =
        words.iter().map(String::as_str).chain(["subjects::", "currency", "\"orders\"", "\"carts\""]).collect();
    none_of(&lines_with("runtime", &words, |_| false));
}

/// A call that is registered gives its domain a right, so it must be one that the domain makes. The reverse is held at
/// run time: a query that is not registered is not sent.
#[test]
fn every_call_that_a_domain_registers_is_made() {
    let mut checked = 0;
    for registration in program("actors").iter().filter(|file| file.ends_with("src/lib.rs")) {
        let others: Vec<String> = program(registration.parent().unwrap().to_str().unwrap())
            .iter()
            .filter(|file| *file != registration)
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect();
        for call in std::fs::read_to_string(registration).unwrap().split("routes.calls::<").skip(1) {
            let query = call.split('>').next().unwrap().rsplit("::").next().unwrap();
            let is_made = others.iter().any(|source| source.contains(&format!("{query} {{")));
            assert!(is_made, "{}: {query} is registered as a call and never sent", registration.display());
            checked += 1;
        }
    }
    assert!(checked > 5, "calls are no longer found");
}

/// The string literals of a piece of Rust.
fn literals(code: &str) -> String {
    let mut found = String::new();
    for (index, part) in code.replace("\\\"", "").split('"').enumerate() {
        if index % 2 == 1 {
            found.push_str(part);
            found.push(' ');
        }
    }
    found
}

/// Builds for tests look at each statement that runs. This looks at all, run or not: a store function does no more than
/// the type of its connection allows.
#[test]
fn every_store_function_does_no_more_than_its_type_allows() {
    let types = [("Reads<'_>", Allowed::Reads), ("Locks<'_>", Allowed::Locks), ("Writes<'_>", Allowed::Writes)];
    let mut checked = [0; 3];
    for file in program("actors") {
        let source = std::fs::read_to_string(&file).unwrap();
        for function in source.split("async fn ").skip(1) {
            let function = function.split("\n}\n").next().unwrap();
            let signature = function.split(" {\n").next().unwrap();
            let statements = match literals(function) {
                // Its statements are constants of the file.
                none if none.is_empty() => format!("select {}", literals(&source)),
                // It begins with a list of columns that others share.
                rest if rest.starts_with("where") => format!("select {rest}"),
                whole => whole,
            };
            // A function without a statement of its own calls others.
            let Some(index) = types.iter().position(|(name, _)| signature.contains(&format!("db: {name}"))) else {
                continue;
            };
            if function.contains("sqlx::query") {
                let name = signature.split('(').next().unwrap();
                types[index].1.check(&statements).unwrap_or_else(|why| panic!("{}: {name}: {why}", file.display()));
                checked[index] += 1;
            }
        }
        assert!(
            !source.contains("PgExecutor") && !source.contains("PgConnection") || is_provider(&file),
            "{}",
            file.display()
        );
    }
    assert!(checked.iter().all(|count| *count > 1) && checked.iter().sum::<u32>() > 60, "{checked:?}");
}

/// A simulated provider stands for a server with a database of its own.
fn is_provider(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "provider")
}
