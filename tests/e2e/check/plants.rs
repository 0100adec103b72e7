//! Corruption of each kind, with what must be named for it, and the way back.

mod money;
mod orders;
mod runtime;
mod stock;
mod streams;

use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::harness::Shop;

pub use streams::plant_in_streams;

/// Confirmed orders that [`sql_plants`] spoils, each in one way.
pub const SPOILT: usize = 18;

/// An order, and the variant of its only line.
pub struct Order {
    pub id: String,
    pub variant: String,
}

/// A fault that must be named: its check, its key (one that ends in a space is a beginning), and words of its text.
type Named = (&'static str, String, &'static str);

/// What was planted.
pub struct Plants<'a> {
    shop: &'a Shop,
    expected: Vec<Named>,
    undo: Vec<(&'static str, String)>,
}

impl<'a> Plants<'a> {
    pub fn new(shop: &'a Shop) -> Self {
        Self { shop, expected: Vec::new(), undo: Vec::new() }
    }

    /// Plants by SQL, as only the superuser can.
    async fn sql(
        &mut self,
        database: &'static str,
        plant: impl Into<String>,
        undo: impl Into<String>,
        named: impl IntoIterator<Item = Named>,
    ) {
        self.run(database, plant.into()).await;
        self.undo.push((database, undo.into()));
        self.expected.extend(named);
    }

    /// Runs statements that must change something.
    async fn run(&self, database: &str, statements: String) {
        let mut connection = self.shop.superuser(database).await;
        let done = sqlx::raw_sql(AssertSqlSafe(statements.clone())).execute(&mut connection).await;
        let changed = done.unwrap_or_else(|error| panic!("{statements}: {error}")).rows_affected();
        assert!(changed > 0, "{statements}");
    }

    /// An id from a domain's database.
    async fn id(&self, database: &str, query: String) -> String {
        let mut connection = self.shop.superuser(database).await;
        let id: uuid::Uuid = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut connection).await.unwrap();
        id.to_string()
    }

    /// Everything planted is named, and nothing else.
    pub fn expect_named(&self, report: &Value) {
        let found: Vec<_> = report["violations"].as_array().unwrap().iter().collect();
        let is = |(check, key, words): &Named, violation: &Value| {
            let text = |field: &str| violation[field].as_str().unwrap().to_owned();
            let is_it = if key.ends_with(' ') { text("key").starts_with(key.as_str()) } else { *key == text("key") };
            text("check") == *check && is_it && text("text").contains(words)
        };
        for expected in &self.expected {
            assert!(found.iter().any(|violation| is(expected, violation)), "not named: {expected:?}\n{report:#}");
        }
        for violation in found {
            assert!(self.expected.iter().any(|expected| is(expected, violation)), "named: {violation:?}\n{report:#}");
        }
    }

    /// Takes everything back.
    pub async fn undo(&mut self) {
        for (database, statements) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.run(database, statements).await;
        }
    }
}

/// Plants in the databases. The stuck order comes first: its deadline does not wait.
pub async fn sql_plants(plants: &mut Plants<'_>, spoilt: &[Order; SPOILT], delivered: &Order, stuck: &Order) {
    orders::stick(plants, stuck).await;
    stock::plant(plants, &spoilt[..4], stuck).await;
    money::plant(plants, &spoilt[4..13]).await;
    orders::plant(plants, &spoilt[13..], delivered).await;
    runtime::plant(plants).await;
}
