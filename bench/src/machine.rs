//! The machine on which a figure was measured.

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub cores: usize,
    pub cpu: String,
    pub memory_mib: u64,
    pub kernel: String,
}

impl Machine {
    pub fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown").to_owned(),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal").and_then(first_number).unwrap_or(0) / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Raises the limit of open files as far as this user may. If that is too low, fails before the run, with a clearer
/// error than thousands of failed connections would give.
pub fn require_open_files(needed: u64) -> anyhow::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("the limit of open files")?;
    }
    match open_files_allowed() {
        Some(allowed) if allowed < needed => anyhow::bail!(
            "this many clients need {needed} open files and {allowed} are allowed: raise the hard limit first"
        ),
        _ => Ok(()),
    }
}

pub fn open_files_allowed() -> Option<u64> {
    open_files(&std::fs::read_to_string("/proc/self/limits").unwrap_or_default())
}

/// The soft limit; `None` if it is unlimited or cannot be read.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    first_number(line)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files_are_found() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.80GHz\nmodel\t\t: 85\n";
        assert_eq!(field(cpuinfo, "model name"), Some("Some CPU @ 2.80GHz"));
        assert_eq!(field("MemTotal:       24604840 kB\n", "MemTotal").and_then(first_number), Some(24_604_840));
    }

    #[test]
    fn the_soft_limit_of_open_files_counts() {
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 4096     files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files\n"), None);
    }
}
