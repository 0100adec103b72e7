//! The sandbox's own database.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgPoolOptions};

/// Held while the schema is made: two sandboxes may start at once.
const LOCK: i64 = 0x50_75_6b_5f_73_62;

/// Makes the database where it is missing, as somebody who may.
pub async fn make_database(url: &str, name: &str) -> Result<()> {
    ensure!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "no plain name: {name:?}");
    let mut connection = PgConnection::connect(url).await.context("the server of the sandbox's database")?;
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await?;
    let is_there: bool = sqlx::query_scalar("select exists (select 1 from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    if !is_there {
        // The name was looked at above.
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Opens the database and brings its schema up to date.
pub(crate) async fn open(url: &str) -> Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(10));
    let db = pool.connect(url).await.context("the sandbox's database")?;
    let mut transaction = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *transaction).await.context("the sandbox's schema")?;
    transaction.commit().await?;
    Ok(db)
}
