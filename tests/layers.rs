//! What the layers may not know of each other, as far as no type holds it (docs/architecture.md).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use runtime::Allowed;
use sources::{files, root};

/// The Rust sources below a directory that are built into the program.
fn program(directory: &str) -> Vec<PathBuf> {
    let mut found = files(&root().join(directory), &["rs"]);
    found.retain(|file| file.strip_prefix(root()).unwrap().components().all(|part| part.as_os_str() != "tests"));
    assert!(!found.is_empty(), "nothing in {directory}");
    found
}

/// The lines of a source without comments and unit tests.
fn code(file: &Path) -> String {
    let source = std::fs::read_to_string(file).unwrap();
    let lines = source.split("#[cfg(test)]\nmod tests").next().unwrap().lines();
    lines.filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
}

/// Lines of a directory's sources that hold one of these texts, outside unit tests.
fn lines_with(directory: &str, texts: &[&str], is_exempt: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for file in program(directory).iter().filter(|file| !is_exempt(file)) {
        let code = code(file);
        let found = code.lines().filter(|line| texts.iter().any(|text| line.contains(text)));
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

/// What only tests may do is not compiled into the program: their dependencies alone enable it.
#[test]
fn the_program_is_built_without_the_support_of_tests() {
    let folders = ["Cargo.toml", "actors", "bench", "check", "gateway", "runtime", "sandbox", "stack", "subjects"];
    let manifests = folders.iter().flat_map(|folder| files(&root().join(folder), &["toml"]));
    let mut enabling = 0;
    for manifest in manifests {
        let mut section = String::new();
        for line in std::fs::read_to_string(&manifest).unwrap().lines() {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            } else if line.contains("test-support") {
                let is_allowed = ["[dev-dependencies]", "[features]"].contains(&section.as_str());
                assert!(is_allowed, "{}: {line}", manifest.display());
                enabling += 1;
            }
        }
    }
    assert!(enabling > 1, "the feature is looked for under another name");
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

const IS_NAME: fn(char) -> bool = |c| c.is_alphanumeric() || c == '_';

/// The names that a path begins with: `a` of `a::b`, `a` and `d` of `{a::{b, c}, d}`.
fn first_names(path: &str) -> Vec<String> {
    let (mut depth, mut names) = (0, String::new());
    for char in path.chars() {
        depth += i32::from(char == '{') - i32::from(char == '}');
        match char {
            '{' if depth == 1 => {}
            _ if depth <= 1 => names.push(char),
            _ => {}
        }
        if depth == 0 && !IS_NAME(char) {
            break;
        }
    }
    names.split(',').map(|path| path.trim().chars().take_while(|char| IS_NAME(*char)).collect()).collect()
}

/// For each top-level module of a crate, the others that it uses, each with a file that does.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

fn uses_of_modules(directory: &str) -> Uses {
    let base = root().join(directory);
    let mut sources: Vec<(Vec<String>, String)> = Vec::new();
    for file in program(directory) {
        let module = file.strip_prefix(&base).unwrap().with_extension("");
        let module: Vec<_> = module.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.last().is_some_and(|name| name != "tests") {
            sources.push((module, code(&file)));
        }
    }
    let (roots, sources): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|(module, _)| matches!(&module[..], [name] if name == "lib" || name == "main"));
    let modules: BTreeSet<&str> = sources.iter().map(|(module, _)| module[0].as_str()).collect();
    // The root may export a name of a module as its own.
    let mut exported = BTreeMap::new();
    for statement in roots.iter().flat_map(|(_, code)| code.split(';')) {
        if let Some((_, path)) = statement.split_once("use ") {
            let module = first_names(path).remove(0);
            let names = path.split(|char| !IS_NAME(char)).filter(|name| !name.is_empty());
            exported.extend(names.map(|name| (name, module.clone())));
        }
    }
    let mut uses = Uses::new();
    for (module, code) in &sources {
        let own = uses.entry(module[0].clone()).or_default();
        let of_root = ["crate::".to_owned(), "super::".repeat(module.len())];
        let paths = of_root.iter().flat_map(|prefix| code.split(prefix.as_str()).skip(1));
        for name in paths.flat_map(first_names) {
            let used = if modules.contains(name.as_str()) { Some(&name) } else { exported.get(name.as_str()) };
            if let Some(used) = used.filter(|used| modules.contains(used.as_str()) && **used != module[0]) {
                own.entry(used.clone()).or_insert_with(|| format!("{directory}/{}.rs", module.join("/")));
            }
        }
    }
    uses
}

/// A cycle, one line for each of its steps.
fn cycle(uses: &Uses) -> Option<String> {
    let mut left: BTreeSet<&String> = uses.keys().collect();
    let uses_none = |module: &&String, left: &BTreeSet<_>| !uses[*module].keys().any(|used| left.contains(used));
    while let Some(lowest) = left.iter().copied().find(|module| uses_none(module, &left)) {
        left.remove(lowest);
    }
    let mut steps = vec![*left.first()?];
    let next = loop {
        let next = uses[*steps.last()?].keys().find(|used| left.contains(used))?;
        if steps.contains(&next) {
            break next;
        }
        steps.push(next);
    };
    let steps = steps.into_iter().skip_while(|module| *module != next);
    let ends: Vec<_> = steps.chain([next]).collect();
    Some(ends.windows(2).map(|step| format!("{} uses {}: {}\n", step[0], step[1], uses[step[0]][step[1]])).collect())
}

/// The modules of a crate are layers too.
#[test]
fn no_modules_of_a_crate_use_each_other_in_a_cycle() {
    for directory in ["runtime/src", "runtime/contract/src", "src", "gateway/server/src", "actors/catalog/src"] {
        let uses = uses_of_modules(directory);
        assert!(uses.values().any(|used| !used.is_empty()), "no uses are found in {directory}");
        if let Some(cycle) = cycle(&uses) {
            panic!("modules of {directory} use each other in a cycle:\n{cycle}");
        }
    }
}

#[test]
fn a_cycle_of_modules_is_named_with_its_files() {
    assert_eq!(first_names("a::{b, c}, d"), ["a"]);
    assert_eq!(first_names("{a::{b, c}, d,\n}; {e}"), ["a", "d", ""]);
    let edges = [("a", "b"), ("b", "c"), ("b", "d"), ("c", "b"), ("d", "e")];
    let mut uses: Uses = ["a", "b", "c", "d", "e"].map(|module| (module.to_owned(), BTreeMap::new())).into();
    for (user, used) in edges {
        uses.get_mut(user).unwrap().insert(used.to_owned(), format!("{user}.rs"));
    }
    assert_eq!(cycle(&uses).unwrap(), "b uses c: b.rs\nc uses b: c.rs\n");
    uses.get_mut("c").unwrap().clear();
    assert_eq!(cycle(&uses), None);
}
