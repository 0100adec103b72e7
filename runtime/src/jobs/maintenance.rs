//! Maintenance jobs: retention, and the metrics of what waits in the tables.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::{
    api::routes::MaintenanceJob,
    database::{Database, lease},
    error::InternalError,
    lane::effects::Effects,
};

/// The most rows of one delete, so that no statement runs long.
const SLICE: u64 = 5000;

/// The same for a domain's own deletes: other rows may depend on each of its rows.
const JOB_SLICE: u64 = 500;

/// How long one job of a pass deletes; the rest is left to the next pass.
const TIMEOUT: Duration = Duration::from_secs(5);

const LEASE: &str = "maintenance";

/// After this time another node takes over from one that died. Longer than two intervals between passes.
const LEASE_LENGTH: Duration = Duration::from_secs(30);

/// The limit of every count, because a count reads the rows that it counts.
const COUNTED: i64 = 10_000;

/// Runs one pass: deletes old rows in slices, and measures what waits. A job that fails does not stop the others. Only
/// one node of a domain runs it: another would wait for its locks and count the same rows.
pub(crate) async fn pass(
    domain: &'static str,
    db: &Database,
    own: &[MaintenanceJob],
    effects: &Effects,
    node: Uuid,
) -> Result<(), InternalError> {
    if !lease::hold(&db.lanes, LEASE, node, LEASE_LENGTH).await? {
        // The node that holds the lease reports these. What this node has reported before is out of date.
        show(domain, &Waiting::default());
        return Ok(());
    }
    let jobs = [
        ("queues and dead letters", measure(domain, db, effects).await),
        ("old replies", in_slices(SLICE, TIMEOUT, || delete_slice(db, DELETE_ANSWERS)).await),
        ("old attempts", in_slices(SLICE, TIMEOUT, || delete_slice(db, DELETE_ATTEMPTS)).await),
        ("old audit entries", in_slices(SLICE, TIMEOUT, || delete_slice(db, DELETE_AUDIT_ENTRIES)).await),
        ("jobs of the domain", delete_expired(db, own).await),
    ];
    let broken: Vec<String> =
        jobs.into_iter().filter_map(|(job, done)| Some(format!("{job}: {}", done.err()?))).collect();
    if broken.is_empty() { Ok(()) } else { Err(InternalError::other(broken.join("; "))) }
}

/// Releases the lease to another node.
pub(crate) async fn end(domain: &'static str, db: &Database, node: Uuid) {
    if let Err(error) = lease::release(&db.lanes, LEASE, node).await {
        tracing::debug!(domain, %error, "maintenance lease could not be released, it expires by itself");
    }
}

/// Runs the domain's own retention.
async fn delete_expired(db: &Database, own: &[MaintenanceJob]) -> Result<(), InternalError> {
    for job in own {
        in_slices(JOB_SLICE, TIMEOUT, || job(db.lanes.clone(), JOB_SLICE)).await?;
    }
    Ok(())
}

/// Runs slices until one is short, or until the timeout has passed.
async fn in_slices<F>(size: u64, timeout: Duration, mut slice: impl FnMut() -> F) -> Result<(), InternalError>
where
    F: Future<Output = Result<u64, InternalError>>,
{
    let began = Instant::now();
    while slice().await? >= size && began.elapsed() < timeout {}
    Ok(())
}

const DELETE_ANSWERS: &str = "delete from command_log where ctid = any(array(
     select ctid from command_log where at < now() - interval '7 days' limit $1))";

/// Most events that ran twice have been handled; an event that still fails renews its row with each run.
const DELETE_ATTEMPTS: &str = "delete from attempt where ctid = any(array(
     select ctid from attempt where at < now() - interval '1 hour' limit $1))";

/// The table permits no other delete.
const DELETE_AUDIT_ENTRIES: &str = "delete from audit_log where ctid = any(array(
     select ctid from audit_log where at < now() - interval '1 year' limit $1))";

async fn delete_slice(db: &Database, sql: &'static str) -> Result<u64, InternalError> {
    Ok(sqlx::query(sql).bind(SLICE.cast_signed()).execute(&db.lanes).await?.rows_affected())
}

/// The number of rows that wait in a domain's tables.
#[derive(Default, sqlx::FromRow)]
struct Waiting {
    outbox: i64,
    oldest_seconds: f64,
    dead_letters: i64,
    effects: i64,
    failing: i64,
    dead_lettered: i64,
    #[sqlx(skip)]
    unregistered: i64,
}

async fn measure(domain: &'static str, db: &Database, effects: &Effects) -> Result<(), InternalError> {
    let sql = "select (select count(*) from (select 1 from outbox limit $1) as o) as outbox,
                (select coalesce(extract(epoch from now() - min(lease_until) + interval '5 seconds'), 0)::float8
                 from outbox) as oldest_seconds,
                (select count(*) from (select 1 from dead_letter limit $1) as d) as dead_letters,
                (select count(*) from (select 1 from effect where dead_lettered_at is null limit $1) as e) as effects,
                (select count(*) from (
                     select 1 from effect where dead_lettered_at is null and attempts > 10 limit $1) as e) as failing,
                (select count(*) from (
                     select 1 from effect where dead_lettered_at is not null limit $1) as e) as dead_lettered";
    let mut waiting: Waiting = sqlx::query_as(sql).bind(COUNTED).fetch_one(&db.lanes).await?;
    waiting.unregistered = effects.count_unregistered().await?;
    show(domain, &waiting);
    Ok(())
}

fn show(domain: &'static str, waiting: &Waiting) {
    let gauge = |name: &'static str, value: f64| metrics::gauge!(name, "domain" => domain).set(value);
    gauge("outbox_unconfirmed", waiting.outbox as f64);
    gauge("outbox_oldest_seconds", waiting.oldest_seconds.max(0.0));
    gauge("dead_letters", waiting.dead_letters as f64);
    gauge("effects_waiting", waiting.effects as f64);
    gauge("effects_failing", waiting.failing as f64);
    gauge("effects_dead_lettered", waiting.dead_lettered as f64);
    gauge("effects_unregistered", waiting.unregistered as f64);
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use stack::{Stack, StackConfig};

    use super::*;
    use crate::{
        api::{context::PermittedClient, routes::Calls},
        rpc::{
            client::Client,
            connect::{NatsConfig, connect},
        },
    };

    /// Only the node that holds the lease reports what waits. The test runs on one thread, because its recorder is
    /// local to the thread.
    #[tokio::test]
    async fn one_node_of_a_domain_shows_what_waits_and_the_others_show_nothing() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let home = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user if the test runs as root.
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let stack = Stack::start(StackConfig::on_free_ports(home.path(), &["things"]), |_| {}).await.unwrap();
        let url = stack.database_url("things").unwrap();
        crate::migrate(&url, sqlx::migrate::Migrator::DEFAULT).await.unwrap();
        let db = Database::open(&url, "things", 1).unwrap();
        sqlx::raw_sql(
            "insert into outbox (epoch, xid, lease_until) values (1, 1, now()), (1, 2, now());
             insert into effect (id, name, entity, cause, body, lease_until, next_at)
             select gen_random_uuid(), name, gen_random_uuid(), '{}', '{}', at, at
             from (values ('gone', now() - interval '2 minutes'), ('new', now())) as left_behind(name, at)",
        )
        .execute(&db.lanes)
        .await
        .unwrap();
        let nats = NatsConfig::new(stack.nats_url(), stack.nats_keys());
        let client = Client::new(connect(&nats, "things", "test").await.unwrap()).await.unwrap();
        let peers = PermittedClient { client, calls: Calls::default() };
        let effects = Effects::new("things", db.clone(), peers, Vec::new());

        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let shown = |series: &str, value: u32| {
            let line = format!("{series}{{domain=\"things\"}} {value}");
            recorder.handle().render().lines().any(|shown| shown == line)
        };
        pass("things", &db, &[], &effects, one).await.unwrap();
        assert!(shown("outbox_unconfirmed", 2) && shown("effects_waiting", 2) && shown("effects_unregistered", 1));
        pass("things", &db, &[], &effects, other).await.unwrap();
        assert!(shown("outbox_unconfirmed", 0) && shown("effects_waiting", 0) && shown("effects_unregistered", 0));
        // A drained node releases the lease, and another takes it at once.
        end("things", &db, one).await;
        pass("things", &db, &[], &effects, other).await.unwrap();
        assert!(shown("outbox_unconfirmed", 2), "{}", recorder.handle().render());
        stack.stop().await.unwrap();
    }

    async fn slices_taken(timeout: Duration, left: &mut u64) -> u32 {
        let mut taken = 0;
        in_slices(SLICE, timeout, || {
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
        assert_eq!((slices_taken(TIMEOUT, &mut left).await, left), (4, 0));
        assert_eq!((slices_taken(TIMEOUT, &mut left).await, left), (1, 0));
    }

    #[tokio::test]
    async fn a_pass_whose_time_is_over_leaves_the_rest_to_the_next_one() {
        let mut left = 2 * SLICE;
        assert_eq!((slices_taken(Duration::ZERO, &mut left).await, left), (1, SLICE));
    }

    #[tokio::test]
    async fn a_slice_that_breaks_ends_the_pass() {
        let broken = in_slices(SLICE, TIMEOUT, || std::future::ready(Err(InternalError::other("broken")))).await;
        assert!(broken.is_err());
    }
}
