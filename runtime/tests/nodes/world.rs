//! Real servers for two tiny domains, and nodes of them.

use std::{path::Path, time::Duration};

use runtime::{Client, Domain, InternalError, NatsConfig, Node, NodeBuilder, NodeConfig, StreamSpec};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use stack::{Stack, StackConfig, StackInfo};

use crate::domains::{NewListener, Speaker};

pub struct World {
    pub stack: Stack,
    pub home: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user where we are root.
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let config = StackConfig::on_free_ports(home.path(), &[Speaker::NAME, NewListener::NAME, "bells"]);
        let stack = Stack::start(config, |_| {}).await.unwrap();
        let world = Self { stack, home };
        world.migrate::<Speaker>().await;
        world.migrate::<NewListener>().await;
        world
    }

    pub async fn migrate<D: Domain>(&self) {
        runtime::migrate(&self.stack.database_url(D::NAME).unwrap(), D::migrations()).await.unwrap();
    }

    /// How nodes and clients reach NATS.
    pub fn nats(&self) -> NatsConfig {
        nats(self.stack.info())
    }

    /// A node of one domain in this process.
    pub async fn node<D: Domain>(&self, domain: D) -> Node {
        node(self.stack.info(), domain).await
    }

    pub async fn client(&self) -> Client {
        Client::new(self.connection("gateway").await).await.unwrap()
    }

    /// A connection that may look at streams.
    pub async fn operator(&self) -> async_nats::Client {
        self.connection("operator").await
    }

    /// A connection with the rights of a NATS user.
    pub async fn connection(&self, user: &str) -> async_nats::Client {
        runtime::connect(&self.nats(), user, "test").await.unwrap()
    }

    /// One number from a domain's database.
    pub async fn number(&self, database: &str, query: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.stack.superuser_url(database)).await.unwrap();
        let number = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Runs a statement in a domain's database.
    pub async fn run(&self, database: &str, statement: &str) {
        let mut connection = PgConnection::connect(&self.stack.superuser_url(database)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A connection with an open transaction that has run a statement: what that locked stays so until it is closed.
    pub async fn holding(&self, database: &str, statement: &str) -> PgConnection {
        let mut connection = PgConnection::connect(&self.stack.superuser_url(database)).await.unwrap();
        sqlx::raw_sql("begin").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection
    }

    /// Waits until a question is answered with true.
    pub async fn wait_until(&self, database: &str, question: &str) {
        self.wait_for(database, &format!("select ({question})::int::bigint"), 1).await;
    }

    /// Waits for a state that must come.
    pub async fn wait_for(&self, database: &str, query: &str, expected: i64) {
        let reached = async {
            while self.number(database, query).await != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), reached).await.is_err() {
            panic!("{query} is {}, not {expected}", self.number(database, query).await);
        }
    }
}

fn nats(stack: &StackInfo) -> NatsConfig {
    NatsConfig::new(stack.nats_url(), stack.nats_keys())
}

async fn node<D: Domain>(stack: &StackInfo, domain: D) -> Node {
    let url = stack.database_url(D::NAME).unwrap();
    let builder = NodeBuilder::new(NodeConfig::new(nats(stack)));
    builder.domain(domain, url, StreamSpec::default()).start_without_tokens().await.unwrap()
}

/// A node of one projection domain.
pub async fn projection<D: Domain>(stack: &StackInfo, domain: D) -> Result<Node, InternalError> {
    let url = stack.database_url(D::NAME).unwrap();
    NodeBuilder::new(NodeConfig::new(nats(stack))).projection(domain, url).start_without_tokens().await
}

/// A node of one domain at servers that another process started.
pub async fn node_at<D: Domain>(home: &Path, domain: D) -> Node {
    node(&stack::find_running(home).unwrap(), domain).await
}
