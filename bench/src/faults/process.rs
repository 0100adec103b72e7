//! A process of the cluster: started, killed, frozen, and restarted if it exits by itself.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// Timeout of a graceful stop.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The paths of a library that is loaded before libc and shifts the wall clock, but not the monotonic clock.
const FAKETIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];

pub struct Process {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub fn new(name: &str, program: &Path, arguments: &[&str], variables: Vec<(String, String)>, logs: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            variables,
            log: logs.join(format!("{name}.log")),
            child: None,
        }
    }

    pub fn start(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    /// Starts the process with a wall clock that is `seconds` ahead (or behind, if negative).
    pub fn start_at_wrong_time(&mut self, seconds: i64) -> Result<()> {
        let library = faketime()?;
        self.start_with(&[
            ("LD_PRELOAD", library),
            ("FAKETIME", &format!("{seconds:+}s")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ])
    }

    fn start_with(&mut self, more: &[(&str, &str)]) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        // The process must end with this one, however this one ends.
        let mut command = match cfg!(target_os = "linux") {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL"]).arg(&self.program);
                command
            }
            false => Command::new(&self.program),
        };
        for inherited in ["NATS_URL", "DATABASE_URL", "SOUK_HOME"] {
            command.env_remove(inherited);
        }
        command
            .args(&self.arguments)
            .env("SOUK_CONFIG", "/dev/null")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        self.child = Some(command.spawn().with_context(|| format!("{} cannot be started", self.name))?);
        Ok(())
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.as_ref().and_then(Child::id).and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).with_context(|| format!("{} does not run", self.name))?;
        kill_process(pid, signal).with_context(|| format!("{signal:?} to {}", self.name))
    }

    /// Kills the process with SIGKILL.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.with_context(|| format!("killing {}", self.name))?;
        }
        Ok(())
    }

    /// Stops the process gracefully and waits for its end.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).with_context(|| format!("SIGTERM to {}", self.name))?;
        }
        if tokio::time::timeout(TIMEOUT, child.wait()).await.is_err() {
            child.kill().await?;
            anyhow::bail!("{} did not stop within {} s", self.name, TIMEOUT.as_secs());
        }
        Ok(())
    }

    /// The exit status, if the process exited by itself.
    pub fn ended(&mut self) -> Result<Option<String>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status.map(|status| status.to_string()))
    }

    /// The last line of the log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().last().unwrap_or_default().to_owned()
    }
}

/// The path of the library that shifts the wall clock.
pub fn faketime() -> Result<&'static str> {
    let found = FAKETIME.into_iter().find(|path| Path::new(path).exists());
    found.context("libfaketime is missing, which sets a node's clock wrong: apt-get install libfaketime")
}
