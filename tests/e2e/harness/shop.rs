//! A running shop.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

use super::{
    Answer, Person, check,
    process::{self, Form, Processes},
};

/// The password of accounts that tests make.
pub const PASSWORD: &str = "a good long password";

/// A shop that is up, in the form that `SOUK_E2E_FORM` names. When it is dropped its books must be in order: a test
/// that leaves unsent messages, dead letters or a broken invariant behind fails.
pub struct Shop {
    pub url: String,
    pub metrics: String,
    pub nats: String,
    home: PathBuf,
    settings: Vec<(String, String)>,
    processes: Mutex<Option<Processes>>,
    is_left_in_disorder: AtomicBool,
    /// Sees what is held of a variant; logged in since.
    keeper: tokio::sync::Mutex<Option<(Instant, Person)>>,
    // The home of an own shop goes with it; the shared one's is left to the process that stops last.
    _directory: Option<tempfile::TempDir>,
}

/// The shop of all tests that break nothing, in the hands of one of them. When the last of those that run at the moment
/// ends, the books must be in order.
pub struct Shared(&'static Shop);

/// How many tests have the shared shop.
static SHARED_BY: AtomicUsize = AtomicUsize::new(0);

/// The shop of all tests that break nothing.
pub async fn shared_shop() -> Shared {
    static SHOP: OnceCell<Shop> = OnceCell::const_new();
    SHARED_BY.fetch_add(1, Ordering::SeqCst);
    Shared(SHOP.get_or_init(|| async { Shop::start(&[]).await }).await)
}

impl Deref for Shared {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let is_last = SHARED_BY.fetch_sub(1, Ordering::SeqCst) == 1;
        if is_last && !std::thread::panicking() {
            let disorder = check::disorder(&self.home);
            assert!(disorder.is_none(), "in the shared shop: {}", disorder.unwrap_or_default());
        }
    }
}

impl Shop {
    /// Starts a shop with a demo seller and customer, and the given variables on top.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let settings = owned(settings);
        let form = Form::chosen();
        Self::start_by(settings, move |home, settings| process::start_shop(form, home, settings)).await
    }

    /// The same, always in one process.
    pub async fn start_whole(settings: &[(&str, &str)]) -> Self {
        Self::start_by(owned(settings), |home, settings| process::start_shop(Form::Whole, home, settings)).await
    }

    /// A shop in a home of its own, its processes started by `start`.
    pub(super) async fn start_by(
        settings: Vec<(String, String)>,
        start: impl FnOnce(&Path, &[(String, String)]) -> Processes + Send + 'static,
    ) -> Self {
        let directory = tempfile::Builder::new().prefix("souk-e2e-").tempdir().unwrap();
        // PostgreSQL runs as another user where we are root.
        std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let home = directory.path().join("home");
        let (to, with) = (home.clone(), settings.clone());
        let processes = tokio::task::spawn_blocking(move || start(&to, &with)).await.unwrap();
        let (url, metrics, nats) = (processes.url.clone(), processes.metrics.clone(), processes.nats.clone());
        let processes = Mutex::new(Some(processes));
        let keeper = tokio::sync::Mutex::default();
        let is_left_in_disorder = AtomicBool::new(false);
        Self { url, metrics, nats, home, settings, processes, is_left_in_disorder, keeper, _directory: Some(directory) }
    }

    /// For a test that breaks the books, and ends so.
    pub fn leave_in_disorder(&self) {
        self.is_left_in_disorder.store(true, Ordering::SeqCst);
    }

    /// What dropping the shop checks, for what ends nodes of its own before that.
    pub(super) fn check_at_end(&self) {
        let disorder = self.disorder_at_end();
        assert!(disorder.is_none(), "{}", disorder.unwrap_or_default());
    }

    /// Looked for once; not after a failure, nor where the test says that it leaves one.
    fn disorder_at_end(&self) -> Option<String> {
        let is_checked = !std::thread::panicking() && !self.is_left_in_disorder.swap(true, Ordering::SeqCst);
        is_checked.then(|| check::disorder(&self.home)).flatten()
    }

    /// Ends the nodes and the servers' parent as `kill -9` would; the servers live on as orphans.
    pub fn kill(&self) {
        self.processes.lock().unwrap().take().expect("the shop is not running").kill();
    }

    /// What its processes hold in memory, in bytes; PostgreSQL and NATS not among them.
    pub fn memory(&self) -> u64 {
        self.processes.lock().unwrap().as_ref().expect("the shop is not running").memory()
    }

    /// Whether a process of it has ended by itself.
    pub fn has_died(&self) -> bool {
        self.processes.lock().unwrap().as_mut().is_some_and(Processes::has_died)
    }

    /// Starts the same home again, on the same HTTP port.
    pub async fn start_again(&mut self) {
        self.start_again_with(&[]).await;
    }

    /// The same, with the given variables on top for this life.
    pub async fn start_again_with(&mut self, more: &[(&str, &str)]) {
        let processes = spawn(self.home.clone(), self.settings_again(more)).await;
        assert_eq!(processes.url, self.url);
        (self.metrics, self.nats) = (processes.metrics.clone(), processes.nats.clone());
        *self.processes.lock().unwrap() = Some(processes);
    }

    /// Runs a killed shop again, with the given variables, until it dies by itself.
    pub async fn run_to_its_end(&self, more: &[(&str, &str)]) -> ExitStatus {
        let (home, settings) = (self.home.clone(), self.settings_again(more));
        tokio::task::spawn_blocking(move || process::run_to_its_end(&home, &settings)).await.unwrap()
    }

    /// Runs a node beside the shop until it ends by itself; gives how, and what it said.
    pub async fn run_node_to_its_end(&self, arguments: &[&str]) -> (ExitStatus, String) {
        // Long enough for servers that are up; no test waits for others.
        let mut node = process::node(&self.home, &owned(&[("SOUK_START_TIMEOUT", "2s")]), arguments);
        let ended = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
        (ended.status, String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Runs `souk up` in the home of a killed shop until it ends by itself; gives how, and what it said.
    pub async fn run_up_to_its_end(&self) -> (ExitStatus, String) {
        let mut up = process::souk(&self.home, &self.settings_again(&[]), &["up"]);
        let ended = tokio::task::spawn_blocking(move || up.output().unwrap()).await.unwrap();
        (ended.status, String::from_utf8_lossy(&ended.stderr).into_owned())
    }

    /// Runs the servers of a killed shop without any domain, and leaves them behind as orphans.
    pub async fn with_servers_only(&self, meanwhile: impl AsyncFnOnce()) {
        let (home, settings) = (self.home.clone(), self.settings_again(&[]));
        let mut servers = tokio::task::spawn_blocking(move || process::start_servers(&home, &settings)).await.unwrap();
        meanwhile().await;
        servers.kill().unwrap();
        servers.wait().unwrap();
    }

    fn settings_again(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut settings = self.settings.clone();
        settings.push(("SOUK_HTTP_ADDR".into(), self.url.trim_start_matches("http://").to_owned()));
        settings.extend(owned(more));
        settings
    }

    /// Where the servers are, for tests that inspect them directly.
    pub fn stack(&self) -> stack::StackInfo {
        stack::find_running(&self.home).unwrap()
    }

    /// The metrics of every node.
    pub fn all_metrics(&self) -> Vec<String> {
        self.processes.lock().unwrap().as_ref().map(|processes| processes.all_metrics.clone()).unwrap_or_default()
    }

    /// A NATS client with the rights of `user`.
    pub async fn nats_as(&self, user: &str) -> async_nats::Client {
        let stack = self.stack();
        let tls = runtime::NatsTls { ca: stack.ca().map(ToOwned::to_owned), client: None };
        let config = runtime::NatsConfig { url: stack.nats_url(), keys: Some(stack.nats_keys().to_owned()), tls };
        runtime::connect(&config, user, "test").await.unwrap()
    }

    pub fn anonymous(&self) -> Person {
        let person = Person::new(&self.url);
        match self.settings.iter().find(|(name, _)| name == "SOUK_STACK_CA") {
            Some((_, ca)) => person.trusting(Path::new(ca)),
            None => person,
        }
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
        let session = self.register().await;
        self.anonymous().with_token(session.text_at("/access_token"))
    }

    /// The first session of a new account.
    pub async fn register(&self) -> Answer {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let body = serde_json::json!({"email": email, "password": PASSWORD});
        self.anonymous().post("/auth/register", &body).await.expect_status(201)
    }

    /// A new seller with its id, so that tests do not meet each other's products.
    pub async fn new_seller(&self) -> (Person, String) {
        let session = self.register().await;
        let id = session.text_at("/user/id");
        let role = serde_json::json!({"role": "seller"});
        self.admin().await.patch(&format!("/admin/users/{id}"), &role).await.expect_status(200);
        // The role is in the token.
        let body = serde_json::json!({"email": session.text_at("/user/email"), "password": PASSWORD});
        let session = self.anonymous().post("/auth/login", &body).await.expect_status(200);
        (self.anonymous().with_token(session.text_at("/access_token")), id)
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

    /// A new product with so many variants of 100 units each, ready to be sold; gives the variants.
    pub async fn variants(&self, count: usize, price: i64) -> Vec<String> {
        let name = uuid::Uuid::now_v7().simple().to_string();
        let price = serde_json::json!({"amount": price, "currency": "USD"});
        let variant = |number| serde_json::json!({"sku": format!("{name}-{number}"), "price": price, "on_hand": 100});
        let variants: Vec<_> = (0..count).map(variant).collect();
        let body = serde_json::json!({"name": format!("Thing {name}"), "price": price, "variants": variants});
        let product = self.seller().await.post("/products", &body).await.expect_status(201);
        let variants: Vec<_> = (0..count).map(|place| product.text_at(&format!("/variants/{place}/id"))).collect();
        let anonymous = self.anonymous();
        for variant in &variants {
            wait_until("inventory knows the variant", || async {
                anonymous.get(&format!("/inventory/{variant}")).await.status == 200
            })
            .await;
        }
        variants
    }

    /// The stock of a variant as the shop's staff sees it.
    pub async fn stock(&self, variant: &str) -> Answer {
        let mut keeper = self.keeper.lock().await;
        let admin = match keeper.take() {
            // Well within the life of an access token.
            Some((since, admin)) if since.elapsed() < Duration::from_secs(300) => (since, admin),
            _ => (Instant::now(), self.admin().await),
        };
        let (_, admin) = keeper.insert(admin);
        let admin = admin.clone();
        drop(keeper);
        admin.get(&format!("/inventory/{variant}")).await.expect_status(200)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        match self.processes.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(processes) => {
                let disorder = self.disorder_at_end();
                // They stop by themselves; waiting keeps their home until then.
                processes.stop();
                assert!(disorder.is_none(), "{}", disorder.unwrap_or_default());
            }
            // A test that failed between a kill and the next start leaves the servers behind as orphans.
            None => process::clear_away(&self.home, &self.settings),
        }
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn spawn(home: PathBuf, settings: Vec<(String, String)>) -> Processes {
    tokio::task::spawn_blocking(move || process::start_shop(Form::chosen(), &home, &settings)).await.unwrap()
}

/// How long a state that must come is waited for: long enough for a machine that is busy with other work.
const NEVER: Duration = Duration::from_secs(240);

/// Waits for a state that must come. Not for a time: the limit is there for what never comes.
pub async fn wait_until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    let began = Instant::now();
    while !reached().await {
        assert!(began.elapsed() < NEVER, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
