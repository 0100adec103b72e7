//! Server processes: children, and orphans of an earlier run, identified by their command line.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::files;

/// A log longer than this is rotated when its server starts.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;
const POLL: Duration = Duration::from_millis(50);

/// The user to run a server as, if not the current one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Farewell {
    pub(crate) signal: Signal,
    pub(crate) timeout: Duration,
    /// The signal to send after `timeout`.
    pub(crate) last: Signal,
}

/// A server process: a child, or an orphan adopted from a killed parent.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) pid: u32,
    marker: String,
    farewell: Farewell,
}

impl Server {
    /// Starts a command in a process group of its own, with its output appended to a log.
    pub(crate) fn spawn(
        mut command: Command,
        marker: &str,
        farewell: Farewell,
        pid_file: &Path,
        log: &Path,
    ) -> Result<Self> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let out = open_log(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).process_group(0).current_dir("/");
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let pid = child.id().with_context(|| format!("{program} ended at once"))?;
        files::write_private(pid_file, &format!("{pid}\n"), None)?;
        Ok(Self { child: Some(child), pid, marker: marker.to_owned(), farewell })
    }

    /// Takes over an orphan.
    pub(crate) fn adopt(pid: u32, marker: &str, farewell: Farewell) -> Self {
        Self { child: None, pid, marker: marker.to_owned(), farewell }
    }

    /// Waits until the process has ended and describes how. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => {
                while is_ours(self.pid, &self.marker) {
                    tokio::time::sleep(POLL).await;
                }
                "adopted process ended".to_owned()
            }
        }
    }

    /// Stops the process with increasingly forceful signals.
    pub(crate) async fn stop(mut self) {
        for (sent, timeout) in [
            (self.farewell.signal, self.farewell.timeout),
            (self.farewell.last, Duration::from_secs(5)),
            (Signal::KILL, Duration::from_secs(5)),
        ] {
            signal(self.pid, &self.marker, sent);
            if tokio::time::timeout(timeout, self.ended()).await.is_ok() {
                return;
            }
            tracing::warn!(pid = self.pid, ?sent, "server does not stop");
        }
    }
}

impl Drop for Server {
    // Also signals a server that is dropped by a cancelled start or by a runtime that shuts down.
    fn drop(&mut self) {
        signal(self.pid, &self.marker, self.farewell.signal);
    }
}

/// Signals a process if it still is the server of `marker`.
fn signal(pid: u32, marker: &str, signal: Signal) {
    let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    if is_ours(pid, marker)
        && let Err(error) = kill_process(target, signal)
    {
        tracing::warn!(pid, %error, "server could not be signalled");
    }
}

/// Finds the process of an earlier run by its pid file, or else by its command line, since the parent may have been
/// killed between starting the server and writing the file.
pub(crate) fn find_orphan(pid_file: &Path, marker: &str) -> Result<Option<u32>> {
    let noted = files::read(pid_file)?.and_then(|text| text.trim().parse().ok());
    if let Some(pid) = noted
        && is_ours(pid, marker)
    {
        return Ok(Some(pid));
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return Ok(None) };
    // Between fork and exec, a child has its parent's command line; the parent has the lower pid.
    Ok(processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| is_ours(*pid, marker))
        .min())
}

/// Whether a process is alive and has `marker` (a path of its home) among its arguments. The pid alone is not enough,
/// since it may have been reused.
fn is_ours(pid: u32, marker: &str) -> bool {
    if cfg!(target_os = "linux") {
        let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        return line.split(|byte| *byte == 0).any(|argument| argument == marker.as_bytes());
    }
    // Untested: systems without /proc.
    let Ok(output) = std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output() else {
        return false;
    };
    String::from_utf8_lossy(&output.stdout).contains(marker)
}

fn open_log(path: &Path) -> Result<File> {
    if std::fs::metadata(path).is_ok_and(|log| log.len() > LOG_LIMIT) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// The last lines of a log, for an error message.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n  ")
}

/// Polls `done` until it returns true or the limit has passed.
pub(crate) async fn eventually<F>(limit: Duration, mut done: impl FnMut() -> F) -> bool
where
    F: Future<Output = bool>,
{
    let start = Instant::now();
    loop {
        if done().await {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
}
