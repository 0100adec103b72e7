//! Databases and roles: one of each per domain, and one role that may read them all.

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::Progress;
use crate::info::StackInfo;

/// PostgreSQL's superuser.
pub(crate) const SUPERUSER: &str = "postgres";
/// The role of `souk check`: SELECT everywhere, nothing else.
pub(crate) const CHECK_ROLE: &str = "souk_check";

/// Makes what is missing. Names were checked to be plain identifiers, passwords are hexadecimal: nothing to escape.
pub(crate) async fn provision(info: &StackInfo, progress: &Progress) -> Result<()> {
    let mut connection = PgConnection::connect(&info.superuser_url("postgres"))
        .await
        .context("cannot log in to the private PostgreSQL: were its data and secrets.json kept together?")?;
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT rolname::text FROM pg_roles").fetch_all(&mut connection).await?;
    let databases: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database").fetch_all(&mut connection).await?;

    let check = std::iter::once(CHECK_ROLE);
    for role in info.domains.iter().map(String::as_str).chain(check) {
        let verb = if roles.iter().any(|known| known == role) { "ALTER" } else { "CREATE" };
        run(&mut connection, format!("{verb} ROLE {role} LOGIN PASSWORD '{}'", info.password(role))).await?;
    }
    run(&mut connection, format!("GRANT pg_read_all_data, pg_read_all_stats TO {CHECK_ROLE}")).await?;
    run(&mut connection, format!("ALTER ROLE {CHECK_ROLE} SET default_transaction_read_only = on")).await?;
    run(&mut connection, "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC".to_owned()).await?;

    let mut made = Vec::new();
    for domain in &info.domains {
        if !databases.contains(domain) {
            run(&mut connection, format!("CREATE DATABASE {domain} OWNER {domain}")).await?;
            made.push(domain.as_str());
        }
        // Every role may connect everywhere by default: take that, then give each its own.
        run(&mut connection, format!("REVOKE ALL ON DATABASE {domain} FROM PUBLIC")).await?;
        run(&mut connection, format!("GRANT CONNECT ON DATABASE {domain} TO {domain}, {CHECK_ROLE}")).await?;
    }
    if !made.is_empty() {
        progress(&format!("postgresql: databases and roles made: {}", made.join(", ")));
    }
    connection.close().await?;
    Ok(())
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    // The statement is not part of the error: it may hold a password.
    let what = sql.split(" PASSWORD").next().unwrap_or_default().to_owned();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.context(what)?;
    Ok(())
}
