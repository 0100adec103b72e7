//! Databases and roles: one of each per domain, one role that may read all databases, and those of the sandbox on
//! demand.

use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::Progress;
use crate::info::StackInfo;

/// The superuser of PostgreSQL.
pub(crate) const SUPERUSER: &str = "postgres";
/// The role of `souk check`: SELECT everywhere, nothing else.
pub(crate) const CHECK_ROLE: &str = "souk_check";
/// The role and the database of `souk sandbox`, which is no domain.
pub(crate) const SANDBOX: &str = "sandbox";
/// The advisory lock for creating them, because two sandboxes may start at once.
const SANDBOX_LOCK: i64 = 0x50_75_6b_5f_73_62;

/// Creates what is missing. Needs no escaping: names are validated as plain identifiers, passwords are hexadecimal.
pub(crate) async fn provision(info: &StackInfo, progress: &Progress) -> Result<()> {
    let mut connection = PgConnection::connect(&info.superuser_url("postgres"))
        .await
        .context("cannot log in to the private PostgreSQL: were its data and secrets.json kept together?")?;
    let (roles, databases) = present(&mut connection).await?;
    let check = std::iter::once(CHECK_ROLE);
    for role in info.domains.iter().map(String::as_str).chain(check) {
        make_role(&mut connection, info, role, &roles).await?;
    }
    run(&mut connection, format!("GRANT pg_read_all_data, pg_read_all_stats TO {CHECK_ROLE}")).await?;
    run(&mut connection, format!("ALTER ROLE {CHECK_ROLE} SET default_transaction_read_only = on")).await?;
    run(&mut connection, "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC".to_owned()).await?;

    let mut made = Vec::new();
    for domain in &info.domains {
        if make_database(&mut connection, domain, &databases).await? {
            made.push(domain.as_str());
        }
        run(&mut connection, format!("GRANT CONNECT ON DATABASE {domain} TO {CHECK_ROLE}")).await?;
    }
    if !made.is_empty() {
        progress(&format!("postgresql: created databases and roles: {}", made.join(", ")));
    }
    connection.close().await?;
    Ok(())
}

/// Creates the sandbox's role and database if they are missing.
pub(crate) async fn sandbox(info: &StackInfo) -> Result<()> {
    let is_known = !info.password(SANDBOX).is_empty();
    ensure!(is_known, "the local stack was started by an older souk: stop it and start it again");
    let mut connection = PgConnection::connect(&info.superuser_url("postgres")).await.context("the local stack")?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(SANDBOX_LOCK).execute(&mut connection).await?;
    let (roles, databases) = present(&mut connection).await?;
    make_role(&mut connection, info, SANDBOX, &roles).await?;
    make_database(&mut connection, SANDBOX, &databases).await?;
    connection.close().await?;
    Ok(())
}

/// The names of all roles and of all databases.
async fn present(connection: &mut PgConnection) -> Result<(Vec<String>, Vec<String>)> {
    let roles = sqlx::query_scalar("SELECT rolname::text FROM pg_roles").fetch_all(&mut *connection).await?;
    let databases = sqlx::query_scalar("SELECT datname::text FROM pg_database").fetch_all(connection).await?;
    Ok((roles, databases))
}

async fn make_role(connection: &mut PgConnection, info: &StackInfo, role: &str, present: &[String]) -> Result<()> {
    let verb = if present.iter().any(|known| known == role) { "ALTER" } else { "CREATE" };
    run(connection, format!("{verb} ROLE {role} LOGIN PASSWORD '{}'", info.password(role))).await
}

/// Creates the database of the role with the same name; returns whether it was missing.
async fn make_database(connection: &mut PgConnection, name: &str, present: &[String]) -> Result<bool> {
    let is_missing = !present.iter().any(|known| known == name);
    if is_missing {
        run(connection, format!("CREATE DATABASE {name} OWNER {name}")).await?;
    }
    // By default every role may connect to every database: revoke that, then grant each role its own.
    run(connection, format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).await?;
    run(connection, format!("GRANT CONNECT ON DATABASE {name} TO {name}")).await?;
    Ok(is_missing)
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    // The error omits the statement, which may contain a password.
    let what = sql.split(" PASSWORD").next().unwrap_or_default().to_owned();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.context(what)?;
    Ok(())
}
