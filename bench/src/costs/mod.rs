//! What a phase cost the shop: CPU time and memory of its processes, statements and transactions, messages, and the
//! batches of every stage. Counters are read when the window opens and when it closes.

mod batches;
mod database;
mod messages;
pub mod processes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use self::batches::BatchSize;
pub use self::database::{Database, Statement, StatementKey};
pub use self::messages::Messages;
pub use self::processes::Usage;

use crate::arguments::Arguments;
use crate::http::Target;
use crate::load::Window;

/// Timeout of one request for counters.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Figures, or the reason why there are none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found<T> {
    Figures(T),
    Missing(String),
}

impl<T> Found<T> {
    pub fn figures(&self) -> Option<&T> {
        match self {
            Self::Figures(figures) => Some(figures),
            Self::Missing(_) => None,
        }
    }

    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Figures(_) => None,
            Self::Missing(why) => Some(why),
        }
    }
}

impl<T> From<anyhow::Result<T>> for Found<T> {
    fn from(result: anyhow::Result<T>) -> Self {
        match result {
            Ok(figures) => Self::Figures(figures),
            Err(error) => Self::Missing(format!("{error:#}")),
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Costs {
    /// Those of the shop, by process.
    pub processes: Vec<Usage>,
    /// Of this process, which is not among them.
    pub generator: Usage,
    pub batches: Found<Vec<BatchSize>>,
    /// By database.
    pub transactions: Found<BTreeMap<String, u64>>,
    /// Statements by database, with BEGIN and COMMIT.
    pub statements: Found<BTreeMap<String, u64>>,
    pub messages: Found<Messages>,
    /// For profiles.
    #[serde(skip)]
    pub by_statement: BTreeMap<StatementKey, Statement>,
}

/// Where the counters are.
pub struct Watch {
    nodes: Vec<Target>,
    pub database: anyhow::Result<Database>,
    monitor: anyhow::Result<Target>,
}

struct Reading {
    processes: processes::Reading,
    batches: anyhow::Result<batches::Reading>,
    transactions: anyhow::Result<BTreeMap<String, i64>>,
    statements: anyhow::Result<BTreeMap<StatementKey, Statement>>,
    messages: anyhow::Result<Messages>,
}

impl Watch {
    /// Counters that cannot be read are reported as missing.
    pub async fn open(arguments: &Arguments) -> Arc<Self> {
        let database = match arguments.superuser_url() {
            Ok(url) => Database::open(url).await,
            Err(error) => Err(error),
        };
        Arc::new(Self { nodes: arguments.metrics.clone(), database, monitor: messages::monitor(arguments) })
    }

    /// The costs of a window.
    pub async fn across(self: Arc<Self>, window: Window) -> Costs {
        tokio::time::sleep_until(window.open).await;
        let before = self.read().await;
        tokio::time::sleep_until(window.close).await;
        before.until(self.read().await)
    }

    async fn read(&self) -> Reading {
        let processes = processes::Reading::now();
        let database = async {
            match &self.database {
                Ok(database) => (database.transactions().await, database.statements().await),
                Err(error) => (Err(missing(error)), Err(missing(error))),
            }
        };
        let messages = async {
            match &self.monitor {
                Ok(monitor) => messages::read(monitor).await,
                Err(error) => Err(missing(error)),
            }
        };
        let (batches, (transactions, statements), messages) =
            tokio::join!(batches::read(&self.nodes, TIMEOUT), database, messages);
        Reading { processes, batches, transactions, statements, messages }
    }
}

fn missing(error: &anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

impl Reading {
    fn until(self, after: Self) -> Costs {
        let (processes, generator) = after.processes.since(&self.processes);
        let by_statement = both(self.statements, after.statements).map(|(before, after)| {
            let used = after.iter().map(|(key, now)| (key.clone(), now.since(before.get(key))));
            used.filter(|(_, used)| used.calls > 0).collect::<BTreeMap<_, _>>()
        });
        let (by_statement, statements) = match by_statement {
            Ok(by_statement) => {
                let sums = by_database(&by_statement);
                (by_statement, Found::Figures(sums))
            }
            Err(error) => (BTreeMap::new(), Found::Missing(format!("{error:#}"))),
        };
        let transactions = both(self.transactions, after.transactions).map(|(before, after)| {
            let used = |name: &str, now: i64| u64::try_from(now - before.get(name).unwrap_or(&0)).unwrap_or(0);
            after.into_iter().map(|(name, now)| (name.clone(), used(&name, now))).collect()
        });
        Costs {
            processes,
            generator,
            batches: both(self.batches, after.batches).map(|(before, after)| before.batches_until(&after)).into(),
            transactions: transactions.into(),
            statements,
            messages: both(self.messages, after.messages).map(|(before, after)| after.since(before)).into(),
            by_statement,
        }
    }
}

fn both<T>(before: anyhow::Result<T>, after: anyhow::Result<T>) -> anyhow::Result<(T, T)> {
    Ok((before?, after?))
}

fn by_database(statements: &BTreeMap<StatementKey, Statement>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (key, statement) in statements {
        *sums.entry(key.database.clone()).or_default() += u64::try_from(statement.calls).unwrap_or(0);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(calls: i64, transactions: i64, received: u64) -> Reading {
        let key = StatementKey { database: "orders".into(), query: 7 };
        Reading {
            processes: processes::Reading::default(),
            batches: Err(anyhow::anyhow!("no node")),
            transactions: Ok(BTreeMap::from([("orders".to_owned(), transactions)])),
            statements: Ok(BTreeMap::from([(key, Statement { calls, ..Statement::default() })])),
            messages: Ok(Messages { received, sent: 2 * received }),
        }
    }

    #[test]
    fn costs_are_what_was_counted_between_two_readings() {
        let costs = reading(10, 5, 100).until(reading(74, 9, 164));
        assert_eq!(costs.statements.figures().expect("statements")["orders"], 64);
        assert_eq!(costs.transactions.figures().expect("transactions")["orders"], 4);
        assert_eq!(costs.messages.figures(), Some(&Messages { received: 64, sent: 128 }));
        assert_eq!(costs.batches.missing(), Some("no node"));
    }

    #[test]
    fn a_counter_that_began_again_counts_from_zero() {
        let costs = reading(100, 5, 100).until(reading(3, 5, 40));
        assert_eq!(costs.statements.figures().expect("statements")["orders"], 3);
        assert_eq!(costs.messages.figures(), Some(&Messages { received: 40, sent: 80 }));
    }
}
