//! The processes of a shop, each with a pipe to its standard input: they stop when this process does, however that
//! ends.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::output::Reader;

/// How long a start may take; the first one of a machine may have to fetch servers.
pub(super) const TIMEOUT: Duration = Duration::from_secs(180);

/// A settings file without settings, in place of one that the working directory may have.
pub const NO_FILE: &str = "/dev/null";

/// The form in which a shop runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `souk up`: everything in one process.
    Whole,
    /// `souk node` twice, on the servers of a third process.
    TwoNodes,
}

impl Form {
    /// As `SOUK_E2E_FORM` names it: `two-nodes`, or nothing.
    pub fn chosen() -> Self {
        match std::env::var("SOUK_E2E_FORM").as_deref() {
            Ok("two-nodes") => Self::TwoNodes,
            Ok("") | Err(_) => Self::Whole,
            Ok(other) => panic!("SOUK_E2E_FORM is {other:?}, neither two-nodes nor empty"),
        }
    }
}

/// The running processes of a shop and where they are reached.
pub struct Processes {
    /// Those that others stand on come first.
    pub(super) children: Vec<Child>,
    pub url: String,
    pub metrics: String,
    /// Of every node, the one above among them.
    pub all_metrics: Vec<String>,
    pub nats: String,
}

impl Processes {
    /// Ends all of them as `kill -9` would, the servers' parent among them; the servers live on as orphans.
    pub fn kill(mut self) {
        for child in &mut self.children {
            child.kill().unwrap();
        }
        for child in &mut self.children {
            child.wait().unwrap();
        }
    }

    /// What they hold in memory together, in bytes.
    pub fn memory(&self) -> u64 {
        let of = |child: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
        };
        self.children.iter().map(of).sum()
    }

    /// Whether one of them has ended by itself.
    pub fn has_died(&mut self) -> bool {
        self.children.iter_mut().any(|child| child.try_wait().unwrap().is_some())
    }

    /// Lets them stop by themselves, those that stand on others first, and waits until they have.
    pub fn stop(mut self) {
        while let Some(mut child) = self.children.pop() {
            drop(child.stdin.take());
            drop(child.wait());
        }
    }
}

/// Starts a shop in a home, with settings on top of free ports.
pub fn start_shop(form: Form, home: &Path, settings: &[(String, String)]) -> Processes {
    match form {
        Form::Whole => start_whole(home, settings),
        Form::TwoNodes => start_two_nodes(home, settings),
    }
}

fn start_whole(home: &Path, settings: &[(String, String)]) -> Processes {
    let mut child = souk(home, settings, &["up", "--throw-away"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = Reader::of(child.stdout.take().unwrap(), "souk up");
    let (mut url, mut metrics, mut nats) = (String::new(), String::new(), String::new());
    loop {
        let line = reader.next();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("HTTP") => url = words.next().unwrap().trim_end_matches("/api/v1").to_owned(),
            Some("metrics") => metrics = words.next().unwrap().trim_end_matches("/metrics").to_owned(),
            Some("NATS") => nats = words.next().unwrap().to_owned(),
            Some("Stop") => break,
            _ => {}
        }
    }
    reader.leave(|_| ());
    let all_metrics = vec![metrics.clone()];
    Processes { children: vec![child], url, metrics, all_metrics, nats }
}

/// Runs `souk up` until it ends by itself, which it must; its start may be as far as it comes.
pub fn run_to_its_end(home: &Path, settings: &[(String, String)]) -> ExitStatus {
    let mut child = souk(home, settings, &["up", "--throw-away"]).stdout(Stdio::null()).spawn().unwrap();
    // Open, or it would stop in good order.
    let stdin = child.stdin.take();
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            drop(stdin);
            return status;
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it does not end by itself: {settings:?}");
        }
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// One node gets the addresses of the servers, the other finds them through `SOUK_HOME`: the gateway's, for only with a
/// local stack has it the sandbox of payments.
fn start_two_nodes(home: &Path, settings: &[(String, String)]) -> Processes {
    let servers = start_servers(home, settings);
    let stack = stack::find_running(home).unwrap();
    let mut environment = settings.to_vec();
    environment.push(("SOUK_HOME".into(), "/nonexistent".into()));
    environment.push(("NATS_URL".into(), stack.nats_url()));
    environment.extend(simulated_payments(settings));
    environment.push(("SOUK_NATS_KEYS".into(), stack.nats_keys().to_str().unwrap().to_owned()));
    for domain in ["inventory", "payments"] {
        let variable = format!("DATABASE_URL_{}", domain.to_uppercase());
        environment.push((variable, stack.database_url(domain).unwrap()));
    }
    let (mut first, mut first_log) = spawn(node(home, &environment, &["--domains", "inventory,payments"]));
    let gateway = ["--domains", "identity,catalog,pricing,carts,orders", "--gateway", "--check"];
    let (mut second, mut second_log) = spawn(node(home, settings, &gateway));
    let mut children = vec![servers];
    let mut addresses = Vec::new();
    for (child, log) in [(&mut first, &mut first_log), (&mut second, &mut second_log)] {
        addresses.push(wait_for_addresses(child, log));
    }
    first_log.leave(print_line);
    second_log.leave(print_line);
    children.extend([first, second]);
    let all_metrics = addresses.iter().map(|(_, metrics)| metrics.clone()).collect();
    let (url, metrics) = addresses.pop().unwrap();
    let url = url.unwrap();
    for (_, metrics) in &addresses {
        wait_until_ready(metrics);
    }
    wait_until_ready(&metrics);
    // The gateway's own readiness: it sees a node of every domain.
    wait_until_ready(&url);
    seed(home, settings);
    Processes { children, url, metrics, all_metrics, nats: stack.nats_url() }
}

/// What says that a node without a local stack has the simulated provider, where the settings name no other.
pub(super) fn simulated_payments(settings: &[(String, String)]) -> Option<(String, String)> {
    const PROVIDER: &str = "SOUK_PAYMENTS_PROVIDER";
    let is_named = settings.iter().any(|(name, _)| name == PROVIDER);
    (!is_named).then(|| (PROVIDER.to_owned(), "simulated".to_owned()))
}

/// Where a node serves HTTP, if it does, and its metrics, as it says once it is ready.
fn wait_for_addresses(child: &mut Child, log: &mut Reader) -> (Option<String>, String) {
    let ready = loop {
        let line = log.next();
        match serde_json::from_str::<Value>(&line) {
            Ok(line) if line["message"] == "node ready" => break line,
            Ok(_) => eprintln!("{line}"),
            // No log line: the error of a node that does not start, printed when its output ends.
            Err(_) => {}
        }
    };
    assert!(child.try_wait().unwrap().is_none(), "a node ended right after its start");
    let address = |name: &str| ready[name].as_str().map(|address| format!("http://{address}"));
    (address("http"), address("metrics").unwrap())
}

/// Starts one node and waits until it is ready; gives where it serves HTTP and its metrics.
pub(super) fn start_node(
    home: &Path,
    settings: &[(String, String)],
    arguments: &[&str],
) -> (Child, Option<String>, String) {
    start(node(home, settings, arguments))
}

/// The same, for a node's command that was made ready.
pub(super) fn start(command: Command) -> (Child, Option<String>, String) {
    let (mut child, mut log) = spawn(command);
    let (http, metrics) = wait_for_addresses(&mut child, &mut log);
    log.leave(print_line);
    wait_until_ready(&metrics);
    (child, http, metrics)
}

/// Starts only the servers.
pub(super) fn start_servers(home: &Path, settings: &[(String, String)]) -> Child {
    let mut servers =
        souk(home, settings, &["up", "--servers-only", "--throw-away"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = Reader::of(servers.stdout.take().unwrap(), "souk up --servers-only");
    while !reader.next().contains("the servers are ready") {}
    reader.leave(|_| ());
    servers
}

/// Ends the servers that a killed parent left behind, and removes their home: a process that starts there
/// again takes them over, and stops at once without a standard input.
pub(super) fn clear_away(home: &Path, settings: &[(String, String)]) {
    let mut command = souk(home, settings, &["up", "--servers-only", "--throw-away"]);
    // While a test fails; a panic more would hide its reason.
    drop(command.stdin(Stdio::null()).stdout(Stdio::null()).status());
}

/// Makes the demo shop where no `souk up` did.
pub(super) fn seed(home: &Path, settings: &[(String, String)]) {
    let seeded = souk(home, settings, &["demo"]).stdout(Stdio::null()).status().unwrap();
    assert!(seeded.success(), "souk demo failed");
}

/// A node's command.
pub(super) fn node(home: &Path, settings: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = souk(home, settings, &["node", "--stop-with-stdin"]);
    // Only what says that the node is ready, besides warnings.
    command.env("SOUK_LOG", "warn,ractor=error,souk::cli=info").args(arguments).stderr(Stdio::piped());
    command
}

fn spawn(mut command: Command) -> (Child, Reader) {
    let mut child = command.spawn().unwrap();
    let reader = Reader::of(child.stderr.take().unwrap(), "souk node");
    (child, reader)
}

/// The binary with an argument or more, on free ports.
pub(super) fn souk(home: &Path, settings: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    for unset in ["NATS_URL", "DATABASE_URL", "SOUK_NATS_KEYS"] {
        command.env_remove(unset);
    }
    command
        .args(arguments)
        .env("SOUK_HOME", home)
        .env("SOUK_CONFIG", NO_FILE)
        .env("SOUK_HTTP_ADDR", "127.0.0.1:0")
        .env("SOUK_METRICS_ADDR", "127.0.0.1:0")
        .env("SOUK_NATS_PORT", "0")
        .env("SOUK_PG_PORT", "0")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped());
    command
}

/// Past the capture of the test that happens to run: a shop belongs to several.
fn print_line(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Asks `/health/ready` until it answers 200.
pub(super) fn wait_until_ready(address: &str) {
    let began = Instant::now();
    loop {
        let answer = ask(address.trim_start_matches("http://"), "/health/ready").unwrap_or_default();
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        assert!(began.elapsed() < TIMEOUT, "{address} does not get ready: {answer}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// A request without an HTTP client: those of the tests need an async runtime.
fn ask(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
