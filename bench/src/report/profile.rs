//! The tables of a profile.

use std::fmt;

use super::table::Table;
use crate::costs::Found;
use crate::profile::{Profile, Symbol, Symbols, TopStatement};

/// The characters of a statement that a row shows.
const TEXT: usize = 100;

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statements {
            Found::Figures(top) => writeln!(f, "{}", statements(top))?,
            Found::Missing(why) => writeln!(f, "the top statements are missing: {why}\n")?,
        }
        match &self.symbols {
            Found::Figures(all) => all.iter().try_for_each(|Symbols { process, symbols }| match symbols {
                Found::Figures(top) => writeln!(f, "{}", table_of(process, top)),
                Found::Missing(why) => writeln!(f, "the top symbols of {process} are missing: {why}\n"),
            }),
            Found::Missing(why) => writeln!(f, "the top symbols are missing: {why}\n"),
        }
    }
}

fn statements(top: &[TopStatement]) -> Table {
    let titles =
        ["database", "statement", "share", "calls", "rows", "total ms", "planning ms", "plans", "mean ms per call"];
    let mut table = Table::new(2, titles);
    for TopStatement { key, cost, share, text } in top {
        // Would end the cell.
        let text: String = text.replace('|', "/").chars().take(TEXT).collect();
        table.row([
            key.database.clone(),
            text,
            format!("{:.1} %", 100.0 * share),
            cost.calls.to_string(),
            cost.rows.to_string(),
            format!("{:.1}", cost.total_ms()),
            format!("{:.1}", cost.plan_ms),
            cost.plans.to_string(),
            format!("{:.3}", cost.total_ms() / cost.calls.max(1) as f64),
        ]);
    }
    table
}

fn table_of(process: &str, top: &[Symbol]) -> Table {
    let mut table = Table::new(1, [process, "samples"]);
    for symbol in top {
        table.row([symbol.name.replace('|', "/"), format!("{:.2} %", symbol.percent)]);
    }
    table
}
