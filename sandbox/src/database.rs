//! The database of the sandbox.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{PgPool, postgres::PgPoolOptions};

/// The advisory lock for creating the schema, because two sandboxes may start at once.
const LOCK: i64 = 0x50_75_6b_5f_73_62;

/// Opens the database and migrates its schema.
pub(crate) async fn open(url: &str) -> Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(10));
    let db = pool.connect(url).await.context("the sandbox's database")?;
    let mut transaction = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *transaction).await.context("the sandbox's schema")?;
    transaction.commit().await?;
    Ok(db)
}
