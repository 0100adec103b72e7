//! A shop of which one domain has a PostgreSQL of its own, so that its database alone can be taken back to a backup.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use stack::{Stack, StackConfig};

use super::{
    Checked, NO_FILE, Shop,
    process::{self, Processes},
};

/// Such a shop. Dropped in this order: the domain's node, the shop, the domain's server.
pub struct Restorable {
    node: Option<Child>,
    pub shop: Shop,
    domain: &'static str,
    server: Option<Stack>,
    backup: Option<PathBuf>,
    config: StackConfig,
    _directory: tempfile::TempDir,
}

impl Restorable {
    pub async fn start(domain: &'static str) -> Self {
        let directory = tempfile::Builder::new().prefix("souk-e2e-server-").tempdir().unwrap();
        // PostgreSQL runs as another user where we are root.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let home = directory.path().join("home");
        let config = StackConfig { nats: None, ..StackConfig::on_free_ports(home, &[domain]) };
        let server = Stack::start(config.clone(), |_| {}).await.unwrap();
        let url = server.database_url(domain).unwrap();
        let (sender, node) = std::sync::mpsc::channel();
        let shop = Shop::start_by(Vec::new(), move |home, settings| {
            let servers = process::start_servers(home, settings);
            sender.send(start_node(home, domain, &url)).unwrap();
            let others: Vec<&str> = subjects::DOMAINS.into_iter().filter(|other| *other != domain).collect();
            let (gateway, url, metrics) =
                process::start_node(home, settings, &["--domains", &others.join(","), "--gateway"]);
            let url = url.unwrap();
            process::wait_until_ready(&url);
            process::seed(home, settings);
            let nats = stack::find_running(home).unwrap().nats_url();
            Processes {
                children: vec![servers, gateway],
                url,
                metrics: metrics.clone(),
                all_metrics: vec![metrics],
                nats,
            }
        })
        .await;
        let (node, server) = (Some(node.recv().unwrap()), Some(server));
        Self { node, shop, domain, server, backup: None, config, _directory: directory }
    }

    fn server(&self) -> &Stack {
        self.server.as_ref().unwrap()
    }

    /// One number from the domain's database.
    pub async fn number(&self, query: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.server().superuser_url(self.domain)).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    /// Takes a base backup of the running server, as `pg_basebackup` does: what lies there while the server goes on,
    /// and the log of what it changed meanwhile.
    pub async fn back_up(&mut self) {
        let data = self.server().info().pg_dir.join("data");
        let backup = data.with_extension("backup");
        let mut session = PgConnection::connect(&self.server().superuser_url(self.domain)).await.unwrap();
        sqlx::query("select pg_backup_start('a test', true)").execute(&mut session).await.unwrap();
        copy_of_a_living(&data, &backup);
        let label: String =
            sqlx::query_scalar("select labelfile from pg_backup_stop(false)").fetch_one(&mut session).await.unwrap();
        copy_of_a_living(&data.join("pg_wal"), &backup.join("pg_wal"));
        let owner = std::fs::metadata(&data).unwrap();
        std::fs::write(backup.join("backup_label"), label).unwrap();
        std::os::unix::fs::chown(backup.join("backup_label"), Some(owner.uid()), Some(owner.gid())).unwrap();
        std::fs::remove_file(backup.join("postmaster.pid")).unwrap();
        self.backup = Some(backup);
    }

    /// Restores the domain's database from the backup: everything it has emitted and received since is gone. `kill -9`
    /// of its node first: nothing is drained.
    pub async fn restore(&mut self) {
        let mut node = self.node.take().unwrap();
        node.kill().unwrap();
        node.wait().unwrap();
        let data = self.stop_server().await;
        std::fs::remove_dir_all(&data).unwrap();
        std::fs::rename(self.backup.take().unwrap(), &data).unwrap();
        self.start_server_and_node().await;
    }

    fn stop_node(&mut self) {
        if let Some(mut node) = self.node.take() {
            drop(node.stdin.take());
            node.wait().unwrap();
        }
    }

    async fn stop_server(&mut self) -> PathBuf {
        let server = self.server.take().unwrap();
        let data = server.info().pg_dir.join("data");
        server.stop().await.unwrap();
        data
    }

    async fn start_server_and_node(&mut self) {
        self.server = Some(Stack::start(self.config.clone(), |_| {}).await.unwrap());
        let (home, domain) = (self.shop.stack().home, self.domain);
        let url = self.server().database_url(domain).unwrap();
        self.node = Some(tokio::task::spawn_blocking(move || start_node(&home, domain, &url)).await.unwrap());
    }

    /// `souk check --json` over both servers.
    pub async fn check(&self) -> Checked {
        let stack = self.shop.stack();
        let password = |url: &str| url.split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
        let password = password(&stack.check_url("postgres"));
        let mut own = PgConnection::connect(&self.server().superuser_url(self.domain)).await.unwrap();
        let same = format!("alter role souk_check password '{password}'");
        sqlx::raw_sql(AssertSqlSafe(same)).execute(&mut own).await.unwrap();
        own.close().await.unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["check", "--json"]).stdin(Stdio::null()).env_remove("DATABASE_URL").env("SOUK_CONFIG", NO_FILE);
        command.env("NATS_URL", stack.nats_url()).env("SOUK_NATS_KEYS", stack.nats_keys());
        command.env("SOUK_DB_PASSWORD_SOUK_CHECK", password);
        for domain in subjects::DOMAINS {
            let url =
                if domain == self.domain { self.server().database_url(domain) } else { stack.database_url(domain) };
            command.env(variable(domain), url.unwrap());
        }
        tokio::task::spawn_blocking(move || {
            let output = command.output().unwrap();
            let report: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("souk check: {}", String::from_utf8_lossy(&output.stderr)));
            Checked { is_success: output.status.success(), report }
        })
        .await
        .unwrap()
    }
}

impl Drop for Restorable {
    fn drop(&mut self) {
        // What is in order depends on the backup; a test says so itself, by `check`.
        self.shop.leave_in_disorder();
        self.stop_node();
    }
}

fn variable(domain: &str) -> String {
    format!("DATABASE_URL_{}", domain.to_uppercase())
}

/// A node of one domain, with the addresses of the servers.
fn start_node(home: &Path, domain: &str, url: &str) -> Child {
    let stack = stack::find_running(home).unwrap();
    let environment = [
        ("SOUK_HOME".to_owned(), "/nonexistent".to_owned()),
        ("NATS_URL".to_owned(), stack.nats_url()),
        ("SOUK_NATS_KEYS".to_owned(), stack.nats_keys().to_str().unwrap().to_owned()),
        (variable(domain), url.to_owned()),
        ("SOUK_PAYMENTS_PROVIDER".to_owned(), "simulated".to_owned()),
    ];
    let (node, ..) = process::start_node(home, &environment, &["--domains", domain]);
    node
}

/// A copy with owners and rights of what changes while it is copied; files may come and go.
fn copy_of_a_living(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut reader =
        Command::new("tar").arg("-C").arg(from).args(["-cf", "-", "."]).stdout(Stdio::piped()).spawn().unwrap();
    let written =
        Command::new("tar").arg("-C").arg(to).args(["-xpf", "-"]).stdin(reader.stdout.take().unwrap()).status();
    assert!(written.unwrap().success(), "{} could not be written", to.display());
    // 1: something changed under its hands.
    assert!(reader.wait().unwrap().code().is_some_and(|code| code <= 1), "{} could not be read", from.display());
}

/// A copy with owners, rights and times.
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success(), "{} could not be copied", from.display());
}
