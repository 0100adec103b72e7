//! The servers behind a shop, for tests that hurt them: their processes, their data, and SQL past every right.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Person, Shop, wait_until};

/// Sends a signal to a process of a test.
pub fn send_signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

impl Shop {
    fn file(&self, name: &str) -> PathBuf {
        self.stack().home.join(name)
    }

    pub fn nats_pid(&self) -> u32 {
        std::fs::read_to_string(self.file("nats/server.pid")).unwrap().trim().parse().unwrap()
    }

    pub fn postgres_pid(&self) -> u32 {
        std::fs::read_to_string(self.file("pg.pid")).unwrap().trim().parse().unwrap()
    }

    /// Kills nats-server and keeps it from coming back while `meanwhile` runs: without its configuration it does not
    /// start.
    pub async fn without_nats(&self, meanwhile: impl AsyncFnOnce()) {
        let (config, away) = (self.file("nats/souk.conf"), self.file("nats/souk.conf.away"));
        std::fs::rename(&config, &away).unwrap();
        send_signal(self.nats_pid(), Signal::KILL);
        meanwhile().await;
        std::fs::rename(away, config).unwrap();
        self.nats_is_back().await;
    }

    /// Shuts PostgreSQL down at once, every connection with it, and keeps it from coming back while `meanwhile` runs:
    /// without its settings it does not start.
    pub async fn without_postgres(&self, meanwhile: impl AsyncFnOnce()) {
        let settings = self.stack().pg_dir.join("data/souk.conf");
        let away = settings.with_extension("away");
        std::fs::rename(&settings, &away).unwrap();
        send_signal(self.postgres_pid(), Signal::QUIT);
        let url = self.stack().superuser_url("postgres");
        wait_until("PostgreSQL is down", || async { PgConnection::connect(&url).await.is_err() }).await;
        meanwhile().await;
        std::fs::rename(away, settings).unwrap();
        wait_until("PostgreSQL is back", || async { PgConnection::connect(&url).await.is_ok() }).await;
    }

    pub async fn nats_is_back(&self) {
        let url = self.stack().nats_url();
        wait_until("nats-server is back", || async { async_nats::connect(&url).await.is_ok() }).await;
    }

    /// Removes every stream and every durable, as a lost disk would. Only while nats-server is down.
    pub fn wipe_streams(&self) {
        std::fs::remove_dir_all(self.file("nats/store")).unwrap();
    }

    /// A connection to a domain's database that no right holds back.
    pub async fn superuser(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.stack().superuser_url(database)).await.unwrap()
    }

    /// Runs statements in a domain's database, past every right.
    pub async fn sql(&self, database: &str, statements: impl Into<String>) {
        let mut connection = self.superuser(database).await;
        sqlx::raw_sql(AssertSqlSafe(statements.into())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Moves the payment deadlines of these orders to now, so that no test depends on how long its preparation takes.
    pub async fn make_due<'a>(&self, orders: impl IntoIterator<Item = &'a String>) {
        let ids: Vec<_> = orders.into_iter().map(|order| format!("'{order}'")).collect();
        let due = format!("update orders set payment_deadline = clock_timestamp() where id in ({})", ids.join(", "));
        self.sql("orders", due).await;
    }

    /// One number from a domain's database.
    pub async fn number(&self, database: &str, query: impl Into<String>) -> i64 {
        let mut connection = self.superuser(database).await;
        let number = sqlx::query_scalar(AssertSqlSafe(query.into())).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Whether every node says that it can do its work.
    pub async fn nodes_are_ready(&self) -> bool {
        for address in self.all_metrics() {
            if Person::new(&address).get("//health/ready").await.status != 200 {
                return false;
            }
        }
        true
    }

    /// The sum of a metric's series, of all nodes, that have all these labels, such as `domain="orders"`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let is_series = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        let mut sum = 0.0;
        for address in self.all_metrics() {
            let metrics = Person::new(&address).get("//metrics").await.expect_status(200);
            let lines = metrics.body.as_str().unwrap().lines().filter(is_series);
            sum += lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>();
        }
        sum
    }
}
