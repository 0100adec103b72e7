//! `souk up` as a process of its own, in a home of its own. It stops when this process does, however that ends.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

use super::Person;

/// A shop that is up.
pub struct Shop {
    pub url: String,
    pub metrics: String,
    pub nats: String,
    home: PathBuf,
    settings: Vec<(String, String)>,
    process: Mutex<Option<Child>>,
    // The home of an own shop goes with it; the shared one's is left to the process that stops last.
    _directory: Option<tempfile::TempDir>,
}

/// The shop of all tests that break nothing.
pub async fn shared_shop() -> &'static Shop {
    static SHOP: OnceCell<Shop> = OnceCell::const_new();
    SHOP.get_or_init(|| async { Shop::start(&[]).await }).await
}

impl Shop {
    /// Starts a shop with a demo seller and customer, and the given variables on top.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new().prefix("souk-e2e-").tempdir().unwrap();
        // PostgreSQL runs as another user where we are root.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let home = directory.path().join("home");
        let settings: Vec<_> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (child, urls) = tokio::task::spawn_blocking({
            let (home, settings) = (home.clone(), settings.clone());
            move || spawn(&home, &settings, &["up", "--throw-away"])
        })
        .await
        .unwrap();
        let [url, metrics, nats] = urls;
        Self { url, metrics, nats, home, settings, process: Mutex::new(Some(child)), _directory: Some(directory) }
    }

    /// Ends the parent process as `kill -9` would; its servers live on as orphans.
    pub fn kill(&self) {
        let mut child = self.process.lock().unwrap().take().expect("the shop is not running");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts the same home again, on the same HTTP port.
    pub async fn start_again(&mut self) {
        let home = self.home.clone();
        let mut settings = self.settings.clone();
        settings.push(("SOUK_HTTP_ADDR".into(), self.url.trim_start_matches("http://").to_owned()));
        let (child, [url, metrics, nats]) =
            tokio::task::spawn_blocking(move || spawn(&home, &settings, &["up", "--throw-away"])).await.unwrap();
        assert_eq!(url, self.url);
        (self.metrics, self.nats) = (metrics, nats);
        *self.process.lock().unwrap() = Some(child);
    }

    /// Where the servers are, for tests that look behind the doors.
    pub fn stack(&self) -> stack::StackInfo {
        stack::find_running(&self.home).unwrap()
    }

    /// A NATS client with the rights of `user`.
    pub async fn nats_as(&self, user: &str) -> async_nats::Client {
        let stack = self.stack();
        let config = runtime::NatsConfig { url: stack.nats_url(), keys: Some(stack.nats_keys().to_owned()) };
        runtime::connect(&config, user, "test").await.unwrap()
    }

    pub fn anonymous(&self) -> Person {
        Person::new(&self.url)
    }

    pub async fn admin(&self) -> Person {
        self.log_in("admin@souk.test").await
    }

    pub async fn seller(&self) -> Person {
        self.log_in("seller@souk.test").await
    }

    pub async fn log_in(&self, email: &str) -> Person {
        let person = self.anonymous();
        let body = serde_json::json!({"email": email, "password": "souk-demo-password"});
        let session = person.post("/auth/login", &body).await.expect_status(200);
        person.with_token(session.text_at("/access_token"))
    }

    /// A new customer, so that tests do not meet each other's carts and orders.
    pub async fn customer(&self) -> Person {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let person = self.anonymous();
        let body = serde_json::json!({"email": email, "password": "a good long password"});
        let session = person.post("/auth/register", &body).await.expect_status(201);
        person.with_token(session.text_at("/access_token"))
    }

    /// A new product with so many units, ready to be sold; gives its variant.
    pub async fn product(&self, on_hand: i64, price: i64) -> String {
        let name = format!("Thing {}", uuid::Uuid::now_v7().simple());
        let body = serde_json::json!({
            "name": name, "price": {"amount": price, "currency": "USD"}, "on_hand": on_hand,
        });
        let product = self.seller().await.post("/products", &body).await.expect_status(201);
        let variant = product.text_at("/variants/0/id");
        let anonymous = self.anonymous();
        wait_until("inventory knows the variant", || async {
            anonymous.get(&format!("/inventory/{variant}")).await.status == 200
        })
        .await;
        variant
    }

    pub async fn stock(&self, variant: &str) -> Answer {
        self.anonymous().get(&format!("/inventory/{variant}")).await.expect_status(200)
    }
}

use super::Answer;

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            drop(child.stdin.take());
            // It stops by itself; waiting keeps its home until then.
            drop(child.wait());
        }
    }
}

fn spawn(home: &Path, settings: &[(String, String)], arguments: &[&str]) -> (Child, [String; 3]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command
        .args(arguments)
        .env("SOUK_HOME", home)
        .env("SOUK_HTTP_ADDR", "127.0.0.1:0")
        .env("SOUK_METRICS_ADDR", "127.0.0.1:0")
        .env("SOUK_NATS_PORT", "0")
        .env("SOUK_PG_PORT", "0")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for unset in ["NATS_URL", "DATABASE_URL"] {
        command.env_remove(unset);
    }
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut urls = [String::new(), String::new(), String::new()];
    let began = Instant::now();
    let mut said = String::new();
    loop {
        let Some(Ok(line)) = lines.next() else { panic!("souk up ended early:\n{said}") };
        assert!(began.elapsed() < Duration::from_secs(180), "souk up takes too long:\n{said}");
        said.push_str(&line);
        said.push('\n');
        let mut words = line.split_whitespace();
        match words.next() {
            Some("HTTP") => urls[0] = words.next().unwrap().trim_end_matches("/api/v1").to_owned(),
            Some("metrics") => urls[1] = words.next().unwrap().trim_end_matches("/metrics").to_owned(),
            Some("NATS") => urls[2] = words.next().unwrap().to_owned(),
            Some("Stop") => break,
            _ => {}
        }
    }
    // Read on, or the process would block on a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, urls)
}

/// Waits for a state that must come. Not for a time: the limit is there for what never comes.
pub async fn wait_until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    let began = Instant::now();
    while !reached().await {
        assert!(began.elapsed() < Duration::from_secs(60), "never came: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
