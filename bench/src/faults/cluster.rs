//! The cluster under test: all its processes run on this machine, with separate directories, keys, ports and logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_nats::jetstream;
use stack::{Stack, StackConfig};
use subjects::DOMAINS;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::plan::{Size, Target};
use super::process::Process;
use super::timeline::Timeline;

pub const SIZE: Size = Size { nats: 3, nodes: 2 * GROUPS.len(), gateways: 2 };
pub const ADMIN: &str = "admin@souk.test";
pub const PASSWORD: &str = "correct horse battery staple";

/// The domains that share a node. Node n runs group n / 2.
const GROUPS: [&str; 3] = ["identity,catalog,pricing,carts", "inventory,orders", "payments"];
/// Short enough for an unpaid order to expire within the run.
const PAYMENT_DEADLINE: &str = "12s";
const WEBHOOK_SECRET: &str = "whsec_faults";
/// Covers a frozen provider: the effect that waits for it has ten seconds.
const PROVIDER_TIMEOUT: &str = "3s";
const START: Duration = Duration::from_secs(120);

pub struct Cluster {
    pub dir: PathBuf,
    pub stack: Stack,
    pub gateways: Vec<u16>,
    processes: BTreeMap<Target, Arc<Mutex<Process>>>,
    nats_ports: Vec<u16>,
    keys: PathBuf,
    souk: PathBuf,
    variables: Vec<(String, String)>,
    provider_url: String,
}

impl Cluster {
    pub async fn start(dir: &Path, souk: &Path, timeline: &Arc<Timeline>) -> Result<Self> {
        let home = dir.join("servers");
        let nats_server = stack::nats_server_program(&home, |_| {}).await?;
        let config = StackConfig { nats: None, ..StackConfig::on_free_ports(home, &DOMAINS) };
        let stack = Stack::start(config, |_| {}).await.context("PostgreSQL")?;
        let provider_url = stack.info().sandbox_url().await?;
        let gateways = vec![stack::free_port()?, stack::free_port()?];
        let mut cluster = Self {
            dir: dir.to_owned(),
            stack,
            gateways,
            processes: BTreeMap::new(),
            nats_ports: Vec::new(),
            keys: dir.join("keys"),
            souk: souk.to_owned(),
            variables: Vec::new(),
            provider_url,
        };
        cluster.start_nats(&nats_server).await?;
        timeline.step("PostgreSQL and three nats-servers answer");
        cluster.variables = cluster.settings()?;
        for command in [&["migrate"][..], &["streams", "apply"]] {
            cluster.run(command, &[]).await?;
        }
        cluster.start_shop().await?;
        cluster.run(&["admin", "create", "--email", ADMIN], &[("SOUK_ADMIN_PASSWORD", PASSWORD)]).await?;
        timeline.step("two nodes of every group of domains and two gateways are ready");
        Ok(cluster)
    }

    async fn start_nats(&mut self, program: &Path) -> Result<()> {
        let dir = self.dir.join("nats");
        std::fs::create_dir_all(&dir)?;
        let config = dir.join("cluster.conf");
        let domains: Vec<String> = DOMAINS.iter().map(ToString::to_string).collect();
        std::fs::write(&config, include_str!("../../../nats/cluster.conf"))?;
        std::fs::write(dir.join("users.conf"), include_str!("../../../nats/users.conf"))?;
        let keys = stack::ensure_keys(&self.keys, &stack::users_of(&domains))?;
        let password = format!("c{}", uuid::Uuid::new_v4().simple());
        let mut routes = Vec::new();
        for _ in 0..SIZE.nats {
            self.nats_ports.push(stack::free_port()?);
            routes.push(stack::free_port()?);
        }
        let config = config.to_str().context("the directory is not UTF-8")?;
        for number in 0..SIZE.nats {
            let mut variables = vec![
                ("SOUK_NATS_NAME".to_owned(), format!("n{number}")),
                ("SOUK_NATS_LISTEN".to_owned(), format!("127.0.0.1:{}", self.nats_ports[number])),
                ("SOUK_NATS_STORE".to_owned(), self.store(number).display().to_string()),
                ("SOUK_NATS_CLUSTER_LISTEN".to_owned(), format!("127.0.0.1:{}", routes[number])),
                ("SOUK_NATS_CLUSTER_PASSWORD".to_owned(), password.clone()),
            ];
            for (other, port) in routes.iter().enumerate() {
                let route = format!("nats://cluster:{password}@127.0.0.1:{port}");
                variables.push((format!("SOUK_NATS_ROUTE_{}", other + 1), route));
            }
            for (user, key) in &keys {
                variables.push((format!("SOUK_NKEY_{}", user.to_uppercase()), key.clone()));
            }
            self.add(Target::Nats(number), &format!("nats-{number}"), program, &["-c", config], variables)?;
        }
        let began = Instant::now();
        loop {
            let error = match self.jetstream().await {
                Ok(jetstream) => match jetstream.query_account().await {
                    Ok(_) => return Ok(()),
                    Err(error) => anyhow::anyhow!(error),
                },
                Err(error) => error,
            };
            ensure!(began.elapsed() < START, "the three nats-servers do not agree: {error:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The settings of every `souk` process of the cluster.
    fn settings(&self) -> Result<Vec<(String, String)>> {
        let streams = self.dir.join("streams.json");
        let specification = include_str!("../../../nats/streams.json").replace("\"replicas\": 1", "\"replicas\": 3");
        ensure!(specification.contains("\"replicas\": 3"), "nats/streams.json has another form");
        std::fs::write(&streams, specification)?;
        let signing_key = self.dir.join("signing-key.pem");
        std::fs::write(&signing_key, new_signing_key()?)?;
        let text = |path: &Path| path.display().to_string();
        let provider = format!("http://127.0.0.1:{}", stack::free_port()?);
        let webhooks = format!("http://127.0.0.1:{}/api/v1/webhooks/payments/stripe", self.gateways[0]);
        let mut variables = vec![
            ("NATS_URL", self.nats_url()),
            ("SOUK_NATS_KEYS", text(&self.keys)),
            ("SOUK_STREAMS", text(&streams)),
            ("SOUK_SIGNING_KEY", text(&signing_key)),
            ("SOUK_CHECK_URL", self.stack.check_url("postgres")),
            ("SOUK_METRICS_ADDR", "127.0.0.1:0".to_owned()),
            ("SOUK_LOG", "info,ractor=error,async_nats=warn,http=off".to_owned()),
            ("SOUK_ORDERS_PAYMENT_DEADLINE", PAYMENT_DEADLINE.to_owned()),
            // As on a local stack: all clients share one address.
            ("SOUK_RATE_AUTH", "1000/s".to_owned()),
            ("SOUK_RATE_PAYMENTS", "10000/s".to_owned()),
            ("SOUK_RATE_WRITES", "20000/s".to_owned()),
            ("SOUK_RATE_READS", "200000/s".to_owned()),
            ("SOUK_PAYMENTS_PROVIDER", "stripe".to_owned()),
            ("SOUK_STRIPE_BASE", provider),
            ("SOUK_STRIPE_SECRET_KEY", "sk_test_faults".to_owned()),
            ("SOUK_STRIPE_PUBLISHABLE_KEY", "pk_test_faults".to_owned()),
            ("SOUK_STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
            ("SOUK_STRIPE_TIMEOUT", PROVIDER_TIMEOUT.to_owned()),
            ("SOUK_SANDBOX_DATABASE_URL", self.provider_url.clone()),
            ("SOUK_SANDBOX_WEBHOOK_URL", webhooks),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Vec<_>>();
        for domain in DOMAINS {
            variables.push((format!("DATABASE_URL_{}", domain.to_uppercase()), self.stack.database_url(domain)?));
        }
        Ok(variables)
    }

    async fn start_shop(&mut self) -> Result<()> {
        let souk = self.souk.clone();
        let base = self.variables.iter().find(|(name, _)| name == "SOUK_STRIPE_BASE").map(|(_, base)| base.clone());
        let listen = base.unwrap_or_default().trim_start_matches("http://").to_owned();
        self.add(Target::Provider, "provider", &souk, &["sandbox", "--listen", &listen], self.variables.clone())?;
        for number in 0..SIZE.nodes {
            let arguments = ["node", "--domains", GROUPS[number / 2]];
            let name = format!("node-{number}-{}", GROUPS[number / 2].replace(',', "-"));
            self.add(Target::Node(number), &name, &souk, &arguments, self.variables.clone())?;
        }
        for number in 0..SIZE.gateways {
            let mut variables = self.variables.clone();
            variables.push(("SOUK_HTTP_ADDR".to_owned(), format!("127.0.0.1:{}", self.gateways[number])));
            let name = format!("gateway-{number}");
            self.add(Target::Gateway(number), &name, &souk, &["node", "--gateway"], variables)?;
        }
        self.wait_until_ready(START).await
    }

    fn add(
        &mut self,
        target: Target,
        name: &str,
        program: &Path,
        arguments: &[&str],
        variables: Vec<(String, String)>,
    ) -> Result<()> {
        let logs = self.dir.join("log");
        std::fs::create_dir_all(&logs)?;
        let mut process = Process::new(name, program, arguments, variables, &logs);
        process.start()?;
        self.processes.insert(target, Arc::new(Mutex::new(process)));
        Ok(())
    }

    pub fn process(&self, target: Target) -> Result<Arc<Mutex<Process>>> {
        self.processes.get(&target).cloned().with_context(|| format!("there is no {target:?}"))
    }

    pub fn processes(&self) -> impl Iterator<Item = &Arc<Mutex<Process>>> {
        self.processes.values()
    }

    /// The store directory of a nats-server.
    pub fn store(&self, number: usize) -> PathBuf {
        self.dir.join(format!("nats/store-{number}"))
    }

    fn nats_url(&self) -> String {
        let urls: Vec<String> = self.nats_ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        urls.join(",")
    }

    /// The database of the payment provider.
    pub fn provider_url(&self) -> String {
        self.provider_url.clone()
    }

    /// JetStream with the operator's user.
    pub async fn jetstream(&self) -> Result<jetstream::Context> {
        let seed = std::fs::read_to_string(self.keys.join("operator.nk"))?;
        let urls: Vec<String> = self.nats_ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let options = async_nats::ConnectOptions::with_nkey(seed.trim().to_owned())
            .custom_inbox_prefix("_INBOX_operator")
            .connection_timeout(Duration::from_secs(2));
        Ok(jetstream::new(options.connect(urls).await?))
    }

    /// Runs a `souk` command to completion and returns its output.
    pub async fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Result<String> {
        let output = self.command(arguments).envs(more.iter().copied()).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "souk {}: {said}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A `souk` command on this cluster.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.souk);
        command
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env("SOUK_CONFIG", "/dev/null")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Waits until both gateways have discovered a node of every domain.
    pub async fn wait_until_ready(&self, timeout: Duration) -> Result<()> {
        let began = Instant::now();
        for port in &self.gateways {
            let mut client = crate::http::Client::new(crate::http::Address::loopback(*port), Duration::from_secs(5));
            loop {
                let state = match client.get("/health/ready").await {
                    Ok(answer) if answer.status.is_success() => break,
                    Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
                    Err(failure) => failure.to_string(),
                };
                ensure!(began.elapsed() < timeout, "the gateway on port {port} is not ready: {state}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    pub async fn stop(self) -> Result<()> {
        for target in [Target::Gateway(0), Target::Gateway(1)].into_iter().chain((0..SIZE.nodes).map(Target::Node)) {
            self.process(target)?.lock().await.stop().await?;
        }
        for process in self.processes.values() {
            process.lock().await.kill().await?;
        }
        self.stack.stop().await
    }
}

fn new_signing_key() -> Result<String> {
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
    let secret: [u8; 32] = rand::random();
    let pem = ed25519_dalek::SigningKey::from_bytes(&secret).to_pkcs8_pem(LineEnding::LF).context("a signing key")?;
    Ok(pem.to_string())
}
