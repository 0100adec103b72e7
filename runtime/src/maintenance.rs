//! Keeping the tables small, and the series that tell what waits in them.

use std::time::{Duration, Instant};

use sqlx::Row;
use uuid::Uuid;

use crate::{
    database::Database,
    failure::{Breakage, Stored},
    lease,
    operation::Chore,
};

/// Rows deleted at once, so that no statement runs long.
const SLICE: u64 = 5000;

/// The same where a domain deletes: more rows may hang on each of its own.
const CHORE_SLICE: u64 = 500;

/// How long one pass deletes; what is left then waits for the next one.
const PATIENCE: Duration = Duration::from_secs(5);

/// What waits is counted so far and no further: a count reads what it counts.
const COUNTED: i64 = 10_000;

/// One pass: old answers go in slices, what waits is measured. A chore that breaks keeps nobody from the others.
pub(crate) async fn pass(domain: &'static str, db: &Database, own: &[Chore], node: Uuid) -> Stored<()> {
    let chores = [
        ("old answers", forget_answers(db, node).await),
        ("old attempts", forget_attempts(db, node).await),
        ("the domain's own", tidy(db, own, node).await),
        ("what waits", measure(domain, db).await),
    ];
    let broken: Vec<String> =
        chores.into_iter().filter_map(|(chore, done)| Some(format!("{chore}: {}", done.err()?))).collect();
    if broken.is_empty() { Ok(()) } else { Err(Breakage::other(broken.join("; "))) }
}

async fn forget_answers(db: &Database, node: Uuid) -> Stored<()> {
    if !is_ours(db, node).await? {
        return Ok(());
    }
    in_slices(SLICE, PATIENCE, || forget_some_answers(db)).await
}

/// What a domain itself has no more use for.
async fn tidy(db: &Database, own: &[Chore], node: Uuid) -> Stored<()> {
    if own.is_empty() || !is_ours(db, node).await? {
        return Ok(());
    }
    for chore in own {
        in_slices(CHORE_SLICE, PATIENCE, || chore(db.lanes.clone(), CHORE_SLICE)).await?;
    }
    Ok(())
}

/// One node deletes: others would only wait for its locks.
async fn is_ours(db: &Database, node: Uuid) -> Stored<bool> {
    lease::hold(&db.lanes, "maintenance", node, Duration::from_secs(30)).await
}

async fn forget_some_answers(db: &Database) -> Stored<u64> {
    let deleted = sqlx::query(
        "delete from command_log where ctid = any(array(
             select ctid from command_log where at < now() - interval '7 days' limit $1))",
    )
    .bind(SLICE.cast_signed())
    .execute(&db.lanes)
    .await?;
    Ok(deleted.rows_affected())
}

/// Takes slices until one comes back short, for so long at most.
async fn in_slices<F>(size: u64, patience: Duration, mut slice: impl FnMut() -> F) -> Stored<()>
where
    F: Future<Output = Stored<u64>>,
{
    let began = Instant::now();
    while slice().await? >= size && began.elapsed() < patience {}
    Ok(())
}

/// Most events that ran twice were handled; what is still failing counts on with each run.
async fn forget_attempts(db: &Database, node: Uuid) -> Stored<()> {
    if !is_ours(db, node).await? {
        return Ok(());
    }
    in_slices(SLICE, PATIENCE, || forget_some_attempts(db)).await
}

async fn forget_some_attempts(db: &Database) -> Stored<u64> {
    let deleted = sqlx::query(
        "delete from attempt where ctid = any(array(
             select ctid from attempt where at < now() - interval '1 hour' limit $1))",
    )
    .bind(SLICE.cast_signed())
    .execute(&db.lanes)
    .await?;
    Ok(deleted.rows_affected())
}

async fn measure(domain: &'static str, db: &Database) -> Stored<()> {
    let row = sqlx::query(
        "select (select count(*) from (select 1 from outbox limit $1) as o) as outbox,
                (select coalesce(extract(epoch from now() - min(lease_until) + interval '5 seconds'), 0)::float8
                 from outbox) as oldest,
                (select count(*) from (select 1 from dead_letter limit $1) as d) as dead_letters,
                (select count(*) from (select 1 from effect where parked_at is null limit $1) as e) as effects,
                (select count(*) from (
                     select 1 from effect where parked_at is null and attempts > 10 limit $1) as e) as failing,
                (select count(*) from (select 1 from effect where parked_at is not null limit $1) as e) as parked",
    )
    .bind(COUNTED)
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn slices_taken(patience: Duration, left: &mut u64) -> u32 {
        let mut taken = 0;
        in_slices(SLICE, patience, || {
            taken += 1;
            let deleted = SLICE.min(*left);
            *left -= deleted;
            std::future::ready(Ok(deleted))
        })
        .await
        .unwrap();
        taken
    }

    #[tokio::test]
    async fn a_pass_deletes_all_that_is_old_slice_by_slice() {
        let mut left = 3 * SLICE + 1;
        assert_eq!((slices_taken(PATIENCE, &mut left).await, left), (4, 0));
        assert_eq!((slices_taken(PATIENCE, &mut left).await, left), (1, 0));
    }

    #[tokio::test]
    async fn a_pass_whose_time_is_over_leaves_the_rest_to_the_next_one() {
        let mut left = 2 * SLICE;
        assert_eq!((slices_taken(Duration::ZERO, &mut left).await, left), (1, SLICE));
    }

    #[tokio::test]
    async fn a_slice_that_breaks_ends_the_pass() {
        let broken = in_slices(SLICE, PATIENCE, || std::future::ready(Err(Breakage::other("broken")))).await;
        assert!(broken.is_err());
    }
}
