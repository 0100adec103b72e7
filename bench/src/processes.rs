//! Resource usage of the shop's processes on this machine: each node, PostgreSQL and nats-server, without the load
//! tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

/// Clock ticks per second in /proc, which the kernel fixes at 100 for user space.
const TICKS: f64 = 100.0;

/// The usage of one node, or of all processes of a server, in a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    pub name: String,
    pub cpu_seconds: f64,
    pub context_switches: u64,
    /// At the end of the window, with shared memory counted once.
    pub memory_mib: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Used {
    /// Includes children that have ended.
    ticks: u64,
    switches: u64,
    memory_kib: u64,
}

/// A snapshot of the processes, by name.
#[derive(Debug)]
pub struct Reading(BTreeMap<String, Used>);

impl Reading {
    /// Reads /proc. Skips processes that end in the meantime.
    pub fn now() -> Self {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let Some((name, used)) = used(&entry.path(), pid) else { continue };
            let total: &mut Used = all.entry(name).or_default();
            total.ticks += used.ticks;
            total.switches += used.switches;
            total.memory_kib += used.memory_kib;
        }
        Self(all)
    }

    /// The usage since an earlier snapshot.
    pub fn since(&self, before: &Self) -> Vec<Usage> {
        let usage = |(name, now): (&String, &Used)| {
            let before = before.0.get(name).copied().unwrap_or_default();
            Usage {
                name: name.clone(),
                cpu_seconds: now.ticks.saturating_sub(before.ticks) as f64 / TICKS,
                context_switches: now.switches.saturating_sub(before.switches),
                memory_mib: now.memory_kib as f64 / 1024.0,
            }
        };
        self.0.iter().map(usage).collect()
    }
}

fn used(process: &Path, pid: u32) -> Option<(String, Used)> {
    let (command, ticks) = stat(&fs::read_to_string(process.join("stat")).ok()?)?;
    let name = match command.as_str() {
        "souk" => format!("souk ({pid})"),
        "postgres" => "PostgreSQL".to_owned(),
        other if other.starts_with("nats-server") => "nats-server".to_owned(),
        _ => return None,
    };
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let switches = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    let switches = switches.map(|status| sum_of(&status, &["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]));
    let memory = fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    Some((name, Used { ticks, switches: switches.sum(), memory_kib: sum_of(&memory, &["Pss:"]) }))
}

/// Parses the command and its ticks from `pid (command) state ppid ...`. The command may hold blanks and parentheses.
fn stat(text: &str) -> Option<(String, u64)> {
    let (head, fields) = text.rsplit_once(')')?;
    let (_, command) = head.split_once('(')?;
    // User and system time of the process and of reaped children: fields 14 to 17 of proc(5).
    let ticks = fields.split_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some((command.to_owned(), ticks))
}

/// Sums the fields with these names at the starts of lines.
fn sum_of(text: &str, names: &[&str]) -> u64 {
    let fields = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
    let named = fields.filter(|(name, _)| names.contains(name));
    named.filter_map(|(_, value)| value.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files_are_found() {
        let line = "42 (a (b) c) S 1 42 42 0 -1 4194560 900 0 3 0 100 20 3 4 20 0 9 0 77";
        assert_eq!(stat(line), Some(("a (b) c".to_owned(), 127)));
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t5\n";
        assert_eq!(sum_of(status, &["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]), 12);
        assert_eq!(sum_of("Rss:  9 kB\nPss:   8 kB\nPss_Dirty: 7 kB\n", &["Pss:"]), 8);
    }

    #[test]
    fn usage_is_what_happened_between_two_readings() {
        let reading = |ticks, switches, memory_kib| {
            Reading(BTreeMap::from([("PostgreSQL".to_owned(), Used { ticks, switches, memory_kib })]))
        };
        let usage = reading(350, 90, 2048).since(&reading(100, 50, 1024));
        let expected = Usage { name: "PostgreSQL".into(), cpu_seconds: 2.5, context_switches: 40, memory_mib: 2.0 };
        assert_eq!(usage, [expected]);
    }
}
