//! The nats CLI as a process.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{Shop, programs};

/// How long a command, or the next message, may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The CLI at a shop's NATS.
pub struct Cli {
    program: PathBuf,
    server: String,
    // Keeps out the contexts of the user who runs the tests.
    home: tempfile::TempDir,
}

impl Cli {
    /// `None` where the CLI cannot be had.
    pub async fn of(shop: &Shop) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        Some(Self { program: programs::nats_cli().await?, server: shop.nats.clone(), home })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let home: &Path = self.home.path();
        command.env("HOME", home).env("XDG_CONFIG_HOME", home).args(["--server", &self.server, "--timeout", "2s"]);
        for unset in ["NATS_URL", "NATS_NKEY", "NATS_CREDS", "NATS_CONTEXT", "NATS_USER", "NATS_PASSWORD"] {
            command.env_remove(unset);
        }
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        let output = tokio::time::timeout(TIMEOUT, self.command(arguments).output()).await;
        output.unwrap_or_else(|_| panic!("nats {arguments:?} hangs")).unwrap()
    }

    /// What a command that succeeds prints.
    pub async fn say(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "nats {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.say(arguments).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("nats {arguments:?}: {error}\n{text}"))
    }

    /// Follows subjects; returns when the server has the subscription.
    pub async fn subscribe(&self, shop: &Shop, subject: &str) -> Subscription {
        // Subscribed last: once its message arrives, the other subscription is active too.
        let probe = format!("ntf.catalog.{}", uuid::Uuid::now_v7());
        let mut command = self.command(&["sub", subject, &probe]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("Subscribing on") {
            let line = tokio::time::timeout(TIMEOUT, errors.next_line()).await.expect("nats sub says nothing");
            said += &line.unwrap().unwrap_or_else(|| panic!("nats sub ended: {said}"));
        }
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut subscription = Subscription { child, lines };
        let catalog = shop.nats_as("catalog").await;
        let sound = async {
            loop {
                catalog.publish(probe.clone(), "{}".into()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = sound => {}
            () = async { while subscription.next().await.subject != probe {} } => {}
        }
        subscription
    }
}

/// A message as `nats sub` shows it.
#[derive(Debug)]
pub struct Seen {
    pub subject: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self:?}"))
    }

    /// The headers as those of an event.
    pub fn head(&self) -> contract::EventHead {
        let head = contract::EventHead::read(|name| self.headers.get(name).map(String::as_str));
        head.unwrap_or_else(|| panic!("not an event: {self:?}"))
    }
}

/// A running `nats sub`.
pub struct Subscription {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscription {
    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(TIMEOUT, self.lines.next_line()).await.expect("nothing more comes");
        line.unwrap().expect("nats sub ended")
    }

    /// `[#7] Received on "subject" ...`, the headers if there are any, an empty line, the body on one line.
    async fn next(&mut self) -> Seen {
        let mut first = String::new();
        while !first.starts_with("[#") {
            first = self.line().await;
        }
        let subject = first.split('"').nth(1).unwrap_or_else(|| panic!("no subject in {first:?}")).to_owned();
        let mut headers = BTreeMap::new();
        let body = loop {
            let line = self.line().await;
            match line.split_once(": ") {
                Some((name, value)) if !line.starts_with('{') => {
                    drop(headers.insert(name.to_owned(), value.to_owned()));
                }
                _ if line.is_empty() => {}
                _ => break line,
            }
        };
        let body = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{subject}: {error}\n{body:?}"));
        Seen { subject, headers, body }
    }

    /// Reads on until an event of a type comes; gives those that `belongs` picks.
    pub async fn until(&mut self, last: &str, belongs: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let mut seen_events = Vec::new();
        loop {
            let seen = self.next().await;
            if !seen.headers.contains_key("ce-type") || !belongs(&seen) {
                continue;
            }
            let is_last = seen.header("ce-type") == last;
            seen_events.push(seen);
            if is_last {
                return seen_events;
            }
        }
    }

    pub async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}
