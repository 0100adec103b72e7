//! What the pages say, held against the files they speak of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::{Path, PathBuf},
};

use serde_json::Value;
use subjects::orders::OrderStatus;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a path of the project, by its own path there.
fn files_below(path: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root().join(path)) else { return vec![path.to_owned()] };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().flat_map(|name| files_below(&format!("{path}/{name}"))).collect()
}

/// Names such as `SOUK_HOME` in a text; one that is put together from parts ends with `_`.
fn variables_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.len() > "SOUK_".len() && word.starts_with("SOUK_")).map(str::to_owned).collect()
}

#[test]
fn every_variable_is_documented_and_every_documented_one_is_read() {
    let page = read("docs/configuration.md");
    let documented = variables_in(&page);
    // `SOUK_NKEY_<USER>` speaks for `SOUK_NKEY_ORDERS`, and a name that is put together ends where the rest begins.
    let is_documented = |name: &str| {
        documented.contains(name)
            || documented.iter().any(|known| known.ends_with('_') && name.starts_with(known.as_str()))
            || name.ends_with('_') && documented.iter().any(|known| known.starts_with(name))
    };
    let mut read_somewhere = BTreeSet::new();
    for place in [
        "src",
        "stack",
        "runtime",
        "gateway",
        "actors",
        "bench",
        "tests",
        "nats",
        "scripts",
        "deploy",
        "compose.yaml",
        "Makefile",
    ] {
        for file in files_below(place) {
            let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
            for name in variables_in(&text) {
                assert!(is_documented(&name), "{file} has {name}, docs/configuration.md does not");
                read_somewhere.insert(name);
            }
        }
    }
    for name in &documented {
        let is_read =
            read_somewhere.iter().any(|read| read == name || name.ends_with('_') && read.starts_with(name.as_str()));
        assert!(is_read, "docs/configuration.md has {name}, which nothing reads");
    }
}

fn pages() -> Vec<String> {
    let mut pages: Vec<String> = files_below("docs").into_iter().filter(|path| path.ends_with(".md")).collect();
    pages.extend(["README.md".into(), "CONTRIBUTING.md".into()]);
    pages
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    page.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = read(&page);
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let directory = root().join(&page).parent().unwrap().to_owned();
            let file = if path.is_empty() { root().join(&page) } else { directory.join(path) };
            assert!(file.exists(), "{page} leads to {target}, which is not there");
            if !anchor.is_empty() {
                let there = std::fs::read_to_string(&file).unwrap();
                assert!(anchors(&there).contains(anchor), "{page} leads to {target}, which has no such heading");
            }
        }
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = read("docs/README.md");
    let decisions = read("docs/adr/README.md");
    for page in pages().iter().filter_map(|page| page.strip_prefix("docs/")).filter(|page| !page.ends_with("README.md"))
    {
        let is_listed = match page.strip_prefix("adr/") {
            Some(decision) => decisions.contains(&format!("({decision})")),
            None => index.contains(&format!("({page})")),
        };
        assert!(is_listed, "docs/{page} is in no index: docs/README.md, docs/adr/README.md");
    }
}

/// Fenced blocks behind a comment such as `<!-- all of: path -->`: what the comment says, and the block.
fn marked_blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(mark) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        if !lines.peek().is_some_and(|next| next.starts_with("```")) {
            continue;
        }
        lines.next();
        let mut block = String::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            block.push_str(line);
            block.push('\n');
        }
        blocks.push((mark.to_owned(), block));
    }
    blocks
}

#[test]
fn the_code_of_adding_a_domain_is_the_code_that_runs() {
    let mut pieces: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let blocks = marked_blocks(&read("docs/adding-a-domain.md"));
    for (mark, block) in blocks {
        match mark.split_once(": ").unwrap() {
            ("all of", path) => pieces.entry(path.to_owned()).or_default().push(block),
            ("part of", path) => {
                assert!(read(path).contains(&block), "docs/adding-a-domain.md is not {path}:\n{block}");
            }
            other => panic!("what is {other:?}?"),
        }
    }
    assert!(pieces.len() >= 2, "the page shows the domain and its migration");
    for (path, pieces) in pieces {
        // What parts the pieces in the file is an empty line.
        assert!(pieces.join("\n") == read(&path), "docs/adding-a-domain.md does not show all of {path}, or other code");
    }
    let source = read("runtime/tests/bookmarks/domain.rs");
    let code = source.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count();
    assert!(code <= 80, "a whole domain takes 80 lines of code, not {code}");
}

#[test]
fn the_readme_has_one_session_to_paste() {
    let blocks = marked_blocks(&read("README.md"));
    let sessions: Vec<_> = blocks.iter().filter(|(mark, _)| mark == "tested: curl session").collect();
    assert_eq!(sessions.len(), 1);
}

/// The quoted texts of an array of a manifest, from its key to the closing bracket.
fn members(manifest: &str) -> Vec<String> {
    let array = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    array.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_crate_is_in_the_readme() {
    let readme = read("README.md");
    for member in members(&read("Cargo.toml")) {
        assert!(readme.contains(&format!("| `{member}` |")), "README.md lacks the crate {member}");
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let (manifest, page) = (read("Cargo.toml"), read("docs/architecture.md"));
    let table = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let foreign = table.lines().filter(|line| !line.starts_with('#') && !line.contains("path = "));
    let named: BTreeSet<&str> = foreign.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    for name in &named {
        assert!(page.contains(&format!("| `{name}` |")), "docs/architecture.md gives no reason for {name}");
    }
    let reasons = page.split("## Dependencies").nth(1).unwrap();
    for name in reasons.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()) {
        assert!(named.contains(name), "docs/architecture.md explains {name}, which nothing depends on");
    }
}

#[test]
fn every_rule_of_catch_up_breaks_what_the_model_says() {
    let (model, page) = (read("tests/model/src/rules.rs"), read("docs/catch-up.md"));
    let entries: Vec<&str> = model.split("rule: Rule::").skip(1).collect();
    for entry in &entries {
        let name = entry.split(',').next().unwrap();
        let kinds = entry.split("breaks: &[").nth(1).unwrap().split(']').next().unwrap();
        let kinds: Vec<String> =
            kinds.split("Kind::").skip(1).map(|kind| kind.trim_end_matches([',', ' ']).to_uppercase()).collect();
        let row = page.lines().find(|line| line.starts_with(&format!("| {name} |")));
        let row = row.unwrap_or_else(|| panic!("docs/catch-up.md lacks the rule {name}"));
        assert!(row.ends_with(&format!("| {} |", kinds.join(", "))), "{name} breaks {kinds:?}: {row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| R")).count();
    assert_eq!(rows, entries.len(), "docs/catch-up.md has other rules than the model");
}

#[test]
fn the_tables_of_the_domains_are_those_of_the_code_and_the_document() {
    let page = read("docs/domains.md");
    let document: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    let (mut today, mut shown) = (String::new(), BTreeSet::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(today, "{line}");
        if line == "<!-- order statuses -->" {
            today.push_str(&order_statuses());
        } else if let Some(tags) = line.strip_prefix("<!-- endpoints: ").and_then(|rest| rest.strip_suffix(" -->")) {
            let tags: Vec<&str> = tags.split(", ").collect();
            shown.extend(tags.iter().map(|tag| (*tag).to_owned()));
            today.push_str(&endpoints(&document, &tags));
        } else {
            continue;
        }
        today.push_str("<!-- end -->\n");
        assert!(lines.by_ref().any(|line| line == "<!-- end -->"), "a table of docs/domains.md does not end");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(root().join("docs/domains.md"), &today).unwrap();
    } else {
        assert!(today == page, "docs/domains.md is out of date: run make golden");
    }
    for (path, _, operation) in operations(&document) {
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(shown.contains(tag), "docs/domains.md has no table for {tag}, of {path}");
    }
}

fn order_statuses() -> String {
    let mut table = String::from("| Status | May be followed by |\n| --- | --- |\n");
    for status in OrderStatus::ALL {
        let next: Vec<_> = status.next().iter().map(|next| format!("`{}`", next.as_str())).collect();
        let next = if next.is_empty() { "-".to_owned() } else { next.join(", ") };
        let _ = writeln!(table, "| `{}` | {next} |", status.as_str());
    }
    table
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |(method, op)| (path, method, op)))
}

fn endpoints(document: &Value, tags: &[&str]) -> String {
    let mut table = String::from("| | Token | Headers | |\n| --- | --- | --- | --- |\n");
    // The order of a document's keys depends on how serde_json was built.
    let mut rows: Vec<_> =
        operations(document).filter(|(.., op)| tags.contains(&op["tags"][0].as_str().unwrap())).collect();
    rows.sort_by_key(|(path, method, _)| (*path, *method));
    for (path, method, operation) in rows {
        let token = match operation["security"].as_array().map(Vec::len) {
            None | Some(0) => "-",
            Some(1) => "access",
            Some(_) => "access or cart",
        };
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let headers = parameters.filter(|parameter| parameter["in"] == "header").map(|header| {
            let needed = if header["required"] == true { " (needed)" } else { "" };
            format!("`{}`{needed}", header["name"].as_str().unwrap())
        });
        let (headers, method) = (headers.collect::<Vec<_>>().join(", "), method.to_uppercase());
        let summary = operation["summary"].as_str().unwrap_or_default();
        let _ = writeln!(table, "| `{method} {path}` | {token} | {headers} | {summary} |");
    }
    table
}

/// docs/adr/0012: a volatile function in a condition keeps PostgreSQL from using an index.
#[test]
fn no_condition_of_a_statement_asks_for_the_time_row_by_row() {
    let clauses = ["where", "having", "join", "select", "set", "values", "returning"];
    let mut found = 0;
    for place in ["runtime/src", "actors", "check/src", "sandbox/src", "stack/src", "src"] {
        for file in files_below(place).iter().filter(|file| file.ends_with(".rs")) {
            let text = read(file);
            for (at, _) in text.match_indices("clock_timestamp()") {
                let mut words = text[..at].rsplit(|c: char| !(c.is_alphanumeric() || c == '_'));
                let clause = words.find(|word| clauses.contains(word));
                let line = text[..at].lines().count();
                assert!(
                    !matches!(clause, Some("where" | "having" | "join")),
                    "{file}:{line}: use now() in a statement of its own, or a parameter"
                );
                found += 1;
            }
        }
    }
    assert!(found > 0, "nothing was checked");
}
