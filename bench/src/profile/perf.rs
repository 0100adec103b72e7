//! The symbols in which the shop's processes spend their time, by `perf` where it is installed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::process::{Child, Command};

use crate::costs::{Found, processes};

/// Samples per second. Not a round number, so that they do not coincide with timers.
const FREQUENCY: &str = "199";

/// The symbols of the list of each process.
const SYMBOLS: usize = 25;

/// Timeout of perf's writing of its file.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The top symbols of one node, or of all processes of a server.
#[derive(Debug, Serialize)]
pub struct Symbols {
    pub process: String,
    pub symbols: Found<Vec<Symbol>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Symbol {
    pub percent: f64,
    /// The binary or library, and the function.
    pub name: String,
}

/// A recording of each process while a scenario runs. Processes that these start meanwhile are in it.
pub struct Recording {
    directory: tempfile::TempDir,
    recorders: Vec<(String, Child)>,
}

impl Recording {
    pub async fn start() -> Result<Self> {
        let version = Command::new("perf").arg("--version").stdin(Stdio::null()).output().await;
        let is_installed = version.is_ok_and(|version| version.status.success());
        anyhow::ensure!(is_installed, "perf is not installed");
        let directory = tempfile::Builder::new().prefix("souk-perf-").tempdir().context("a directory for perf")?;
        let mut recorders = Vec::new();
        for (process, pids) in processes::pids() {
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            let recorder = Command::new("perf")
                .args(["record", "-q", "-F", FREQUENCY, "-p", &pids.join(","), "-o"])
                .arg(directory.path().join(&process))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
                .context("starting perf")?;
            recorders.push((process, recorder));
        }
        anyhow::ensure!(!recorders.is_empty(), "no process of the shop runs on this machine");
        Ok(Self { directory, recorders })
    }

    /// Ends the recording and returns the top symbols of each process.
    pub async fn finish(self) -> Vec<Symbols> {
        let mut all = Vec::new();
        for (process, recorder) in self.recorders {
            let symbols = top(recorder, &self.directory.path().join(&process)).await.into();
            all.push(Symbols { process, symbols });
        }
        all
    }
}

async fn top(recorder: Child, file: &Path) -> Result<Vec<Symbol>> {
    stop(recorder).await.context("perf record")?;
    let report = Command::new("perf")
        .args(["report", "--stdio", "--no-children", "--sort", "dso,symbol", "-i"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .await
        .context("perf report")?;
    let (out, error) = (String::from_utf8_lossy(&report.stdout), String::from_utf8_lossy(&report.stderr));
    anyhow::ensure!(report.status.success(), "perf report: {}", error.trim());
    Ok(symbols(&out))
}

/// Interrupts a recorder, which then writes its file and ends.
async fn stop(recorder: Child) -> Result<()> {
    let pid = recorder.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process(pid, Signal::INT).context("SIGINT")?;
    }
    let ended = tokio::time::timeout(TIMEOUT, recorder.wait_with_output()).await.context("perf does not end")??;
    anyhow::ensure!(is_good(ended.status), "{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim());
    Ok(())
}

/// perf passes on the signal that ended it, after it has written its file.
fn is_good(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.success() || status.signal() == Some(Signal::INT.as_raw()) || status.code() == Some(130)
}

/// Parses lines such as `  5.23%  souk  [.] serde_json::to_vec  -  -`; the last two columns are empty here.
fn symbols(report: &str) -> Vec<Symbol> {
    let symbol = |line: &str| {
        let (percent, name) = line.trim().split_once('%')?;
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Symbol { percent: percent.parse().ok()?, name: name.trim_end_matches(" -").to_owned() })
    };
    report.lines().filter(|line| !line.starts_with('#')).filter_map(symbol).take(SYMBOLS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_read_from_perfs_table() {
        let report = "# Samples: 4K of event 'cpu-clock:pppH'\n# Overhead  Shared Object  Symbol\n\n\
            \x20   12.50%  souk               [.] serde_json::to_vec  -      -            \n\
            \x20    3.10%  [kernel.kallsyms]  [k] do_syscall_64\n";
        let found = symbols(report);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], Symbol { percent: 12.5, name: "souk [.] serde_json::to_vec".into() });
    }
}
