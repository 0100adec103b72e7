//! docs/scenarios.md, held against the tests it names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

use std::path::Path;

/// The scenarios there are.
const COUNT: usize = 28;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("docs/scenarios.md names {path}: {error}"))
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The lines of documentation and attributes above a test.
fn heading<'a>(source: &'a str, path: &str, test: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let name = format!("fn {test}(");
    let place = lines.iter().position(|line| line.contains(&name));
    let place = place.unwrap_or_else(|| panic!("docs/scenarios.md names {test}, which is not in {path}"));
    let above = lines[..place].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let heading: Vec<&str> = above.copied().collect();
    assert!(heading.iter().any(|line| line.starts_with("#[") && line.contains("test")), "{path}: {test} is no test");
    heading
}

fn cites(line: &str, number: usize) -> bool {
    let mut ends = line.split("Scenario ").skip(1);
    ends.any(|rest| rest.split(|c: char| !c.is_ascii_digit()).next() == Some(number.to_string().as_str()))
}

#[test]
fn every_scenario_is_held_by_tests_that_cite_it() {
    let page = read("docs/scenarios.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .filter(|cells: &Vec<&str>| !cells[0].is_empty())
        .collect();
    let numbers: Vec<String> = rows.iter().map(|cells| cells[0].to_owned()).collect();
    assert_eq!(numbers, (1..=COUNT).map(|number| number.to_string()).collect::<Vec<_>>());
    for (number, cells) in (1..).zip(&rows) {
        assert_eq!(cells.len(), 4, "scenario {number}");
        let (mut path, mut source, mut tests) = (String::new(), String::new(), 0);
        for name in quoted(cells[3]) {
            if name.contains('/') {
                (path, source) = (name.to_owned(), read(name));
                continue;
            }
            let heading = heading(&source, &path, name);
            assert!(heading.iter().any(|line| cites(line, number)), "{path}: {name} does not cite Scenario {number}");
            tests += 1;
        }
        assert!(tests > 0, "no test holds scenario {number}");
    }
}
