//! Keeping the tables small, and the series that tell what waits in them.

use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use crate::{database::Database, failure::Stored, lease};

/// Rows deleted at once, so that no statement runs long.
const SLICE: i64 = 5000;

/// One pass: old answers go in slices, what waits is measured.
pub(crate) async fn pass(domain: &'static str, db: &Database, node: Uuid) -> Stored<()> {
    if lease::hold(&db.lanes, "maintenance", node, Duration::from_secs(30)).await? {
        sqlx::query(
            "delete from command_log where ctid = any(array(
                 select ctid from command_log where at < now() - interval '7 days' limit $1))",
        )
        .bind(SLICE)
        .execute(&db.lanes)
        .await?;
    }
    // Most events that ran twice were handled; what is still failing counts on with each run.
    sqlx::query("delete from attempt where at < clock_timestamp() - interval '1 hour'").execute(&db.lanes).await?;
    let row = sqlx::query(
        "select (select count(*) from outbox) as outbox,
                (select coalesce(extract(epoch from clock_timestamp() - min(lease_until) + interval '5 seconds'), 0)::float8
                 from outbox) as oldest,
                (select count(*) from dead_letter) as dead_letters,
                (select count(*) from effect where parked_at is null) as effects,
                (select count(*) from effect where parked_at is null and attempts > 10) as failing,
                (select count(*) from effect where parked_at is not null) as parked",
    )
    .fetch_one(&db.lanes)
    .await?;
    let gauge = |name: &'static str, value: f64| metrics::gauge!(name, "domain" => domain).set(value);
    gauge("outbox_unconfirmed", row.try_get::<i64, _>("outbox")? as f64);
    gauge("outbox_oldest_seconds", row.try_get::<f64, _>("oldest")?.max(0.0));
    gauge("dead_letters", row.try_get::<i64, _>("dead_letters")? as f64);
    gauge("effects_waiting", row.try_get::<i64, _>("effects")? as f64);
    gauge("effects_failing", row.try_get::<i64, _>("failing")? as f64);
    gauge("effects_parked", row.try_get::<i64, _>("parked")? as f64);
    Ok(())
}
