//! Statements and transactions, from PostgreSQL's own statistics.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

/// A statement of a database. Its number is that of `pg_stat_statements`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StatementKey {
    pub database: String,
    pub query: i64,
}

/// What a statement cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Statement {
    pub calls: i64,
    pub plans: i64,
    pub plan_ms: f64,
    pub execution_ms: f64,
    pub rows: i64,
}

impl Statement {
    /// A lower count means that the server dropped the statement in between: all that it counts is new.
    pub(super) fn since(&self, before: Option<&Self>) -> Self {
        match before {
            Some(before) if before.calls <= self.calls => Self {
                calls: self.calls - before.calls,
                plans: self.plans - before.plans,
                plan_ms: self.plan_ms - before.plan_ms,
                execution_ms: self.execution_ms - before.execution_ms,
                rows: self.rows - before.rows,
            },
            _ => *self,
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.plans += other.plans;
        self.plan_ms += other.plan_ms;
        self.execution_ms += other.execution_ms;
        self.rows += other.rows;
    }

    pub fn total_ms(&self) -> f64 {
        self.plan_ms + self.execution_ms
    }
}

/// The shop's databases, as the superuser sees them.
pub struct Database {
    url: String,
    /// Why the server does not count statements, if so.
    without_statements: Option<String>,
}

impl Database {
    pub async fn open(url: String) -> anyhow::Result<Self> {
        let mut connection = connect(&url).await?;
        // Counting requires the library, reading the counters also the extension.
        let check = async {
            connection.execute("create extension if not exists pg_stat_statements").await?;
            connection.execute("select 1 from pg_stat_statements(false) limit 1").await
        };
        let without_statements = check.await.err().map(|error| {
            format!(
                "the shop was started without SOUK_STACK_STATISTICS=true, or pg_stat_statements is missing: {error}"
            )
        });
        Ok(Self { url, without_statements })
    }

    /// The transactions of each database. A connection adds its own up to a second late.
    pub(super) async fn transactions(&self) -> anyhow::Result<BTreeMap<String, i64>> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select datname::text, xact_commit + xact_rollback from pg_stat_database
             where datname not in ('postgres', 'template0', 'template1', 'souk_bench')",
        )
        .fetch_all(&mut connect(&self.url).await?)
        .await
        .context("transactions")?;
        Ok(rows.into_iter().collect())
    }

    pub(super) async fn statements(&self) -> anyhow::Result<BTreeMap<StatementKey, Statement>> {
        if let Some(why) = &self.without_statements {
            anyhow::bail!("{why}");
        }
        let rows: Vec<(String, i64, i64, i64, f64, f64, i64)> = sqlx::query_as(
            "select d.datname::text, s.queryid, sum(s.calls)::bigint, sum(s.plans)::bigint, sum(s.total_plan_time),
                    sum(s.total_exec_time), sum(s.rows)::bigint
             from pg_stat_statements(false) s join pg_database d on d.oid = s.dbid
             where s.queryid is not null and d.datname not in ('postgres', 'template0', 'template1', 'souk_bench')
             group by d.datname, s.queryid",
        )
        .fetch_all(&mut connect(&self.url).await?)
        .await
        .context("statements")?;
        let statement = |(database, query, calls, plans, plan_ms, execution_ms, rows)| {
            (StatementKey { database, query }, Statement { calls, plans, plan_ms, execution_ms, rows })
        };
        Ok(rows.into_iter().map(statement).collect())
    }

    /// The texts of statements, by number.
    pub async fn texts(&self, queries: &[i64]) -> anyhow::Result<BTreeMap<i64, String>> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select distinct on (queryid) queryid, query from pg_stat_statements
             where queryid = any($1) and query is not null order by queryid",
        )
        .bind(queries)
        .fetch_all(&mut connect(&self.url).await?)
        .await
        .context("the texts of statements")?;
        Ok(rows.into_iter().collect())
    }
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    PgConnection::connect(url).await.context("connecting to PostgreSQL")
}
