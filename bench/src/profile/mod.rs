//! `bench profile`: the statements and symbols that cost most in a scenario.

mod perf;

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::costs::{Found, Statement, StatementKey, Watch};
use crate::scenarios::Phase;

pub use self::perf::{Recording, Symbol, Symbols};

/// The statements of the list.
const STATEMENTS: usize = 25;

#[derive(Debug, Serialize)]
pub struct Profile {
    pub statements: Found<Vec<TopStatement>>,
    pub symbols: Found<Vec<Symbols>>,
}

/// A statement in all measured windows.
#[derive(Debug, Serialize)]
pub struct TopStatement {
    #[serde(flatten)]
    pub key: StatementKey,
    #[serde(flatten)]
    pub cost: Statement,
    /// Its time in proportion to that of all statements.
    pub share: f64,
    pub text: String,
}

impl Profile {
    pub async fn of(watch: &Watch, phases: &[Phase], recording: Result<Recording>) -> Self {
        eprintln!("reading the profile");
        let symbols = match recording {
            Ok(recording) => Found::Figures(recording.finish().await),
            Err(error) => Found::Missing(format!("{error:#}")),
        };
        Self { statements: statements(watch, phases).await.into(), symbols }
    }
}

async fn statements(watch: &Watch, phases: &[Phase]) -> Result<Vec<TopStatement>> {
    let missing = phases.iter().find_map(|phase| phase.costs.statements.missing());
    anyhow::ensure!(missing.is_none(), "{}", missing.unwrap_or_default());
    let database = watch.database.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let mut top = ranked(phases.iter().map(|phase| &phase.costs.by_statement));
    top.truncate(STATEMENTS);
    let queries: Vec<i64> = top.iter().map(|statement| statement.key.query).collect();
    let mut texts = database.texts(&queries).await?;
    for statement in &mut top {
        let text = texts.remove(&statement.key.query).unwrap_or_default();
        // The same statement may run in several databases.
        texts.insert(statement.key.query, text.clone());
        statement.text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    Ok(top)
}

/// The sums over all phases, the most expensive statement first, still without texts.
fn ranked<'a>(phases: impl Iterator<Item = &'a BTreeMap<StatementKey, Statement>>) -> Vec<TopStatement> {
    let mut sums: BTreeMap<&StatementKey, Statement> = BTreeMap::new();
    for (key, cost) in phases.flatten() {
        sums.entry(key).or_default().add(cost);
    }
    let whole: f64 = sums.values().map(Statement::total_ms).sum();
    let statement = |(key, cost): (&StatementKey, Statement)| {
        let share = if whole > 0.0 { cost.total_ms() / whole } else { 0.0 };
        TopStatement { key: key.clone(), cost, share, text: String::new() }
    };
    let mut all: Vec<TopStatement> = sums.into_iter().map(statement).collect();
    all.sort_by(|a, b| b.cost.total_ms().total_cmp(&a.cost.total_ms()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_expensive_statement_comes_first_with_its_planning() {
        let key = |query| StatementKey { database: "orders".into(), query };
        let cost = |plan_ms, execution_ms| Statement { calls: 1, plan_ms, execution_ms, ..Statement::default() };
        let one = BTreeMap::from([(key(1), cost(0.0, 2.0)), (key(2), cost(3.0, 1.0))]);
        let two = BTreeMap::from([(key(1), cost(0.0, 4.0))]);
        let ranked = ranked([&one, &two].into_iter());
        let found: Vec<_> = ranked.iter().map(|statement| (statement.key.query, statement.cost.calls)).collect();
        assert_eq!(found, [(1, 2), (2, 1)]);
        assert!((ranked[0].share - 0.6).abs() < 1e-9);
    }
}
