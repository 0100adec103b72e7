//! A leader lease. An optimization only: two holders duplicate work but break nothing.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use crate::error::InternalError;

/// Takes or renews a lease, by the database's clock. Returns whether `holder` holds it.
pub(crate) async fn hold(pool: &PgPool, name: &str, holder: Uuid, length: Duration) -> Result<bool, InternalError> {
    let sql = "insert into lease (name, holder, until) values ($1, $2, clock_timestamp() + make_interval(secs => $3))
         on conflict (name) do update set holder = excluded.holder, until = excluded.until
         where lease.holder = excluded.holder or lease.until < now()";
    let held = sqlx::query(sql).bind(name).bind(holder).bind(length.as_secs_f64()).execute(pool).await?;
    Ok(held.rows_affected() == 1)
}

/// Ends a lease, so that the next node need not wait for it. The row remains: it shows when the lease was last held.
pub(crate) async fn release(pool: &PgPool, name: &str, holder: Uuid) -> Result<(), InternalError> {
    let sql = "update lease set until = now() where name = $1 and holder = $2 and until > now()";
    sqlx::query(sql).bind(name).bind(holder).execute(pool).await?;
    Ok(())
}
