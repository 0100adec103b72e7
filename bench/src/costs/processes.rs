//! Resource usage of the shop's processes on this machine: each node, PostgreSQL and nats-server; and that of the load
//! generator, apart from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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

impl Usage {
    pub fn is_node(&self) -> bool {
        self.name.starts_with("souk")
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Used {
    /// Includes children that have ended.
    ticks: u64,
    switches: u64,
    memory_kib: u64,
}

impl Used {
    fn add(&mut self, other: Self) {
        self.ticks += other.ticks;
        self.switches += other.switches;
        self.memory_kib += other.memory_kib;
    }

    fn since(self, before: Self, name: &str) -> Usage {
        Usage {
            name: name.to_owned(),
            cpu_seconds: self.ticks.saturating_sub(before.ticks) as f64 / TICKS,
            context_switches: self.switches.saturating_sub(before.switches),
            memory_mib: self.memory_kib as f64 / 1024.0,
        }
    }
}

/// A snapshot of the shop's processes, by name, and of this one.
#[derive(Debug, Default)]
pub struct Reading {
    shop: BTreeMap<String, Used>,
    generator: Used,
}

impl Reading {
    /// Reads /proc. Skips processes that end in the meantime.
    pub fn now() -> Self {
        let mut shop = BTreeMap::new();
        for (path, name) in processes() {
            let Some(used) = used(&path) else { continue };
            let total: &mut Used = shop.entry(name).or_default();
            total.add(used);
        }
        Self { shop, generator: used(Path::new("/proc/self")).unwrap_or_default() }
    }

    /// The usage since an earlier snapshot: that of the shop, and that of this process.
    pub fn since(&self, before: &Self) -> (Vec<Usage>, Usage) {
        let usage = |(name, now): (&String, &Used)| now.since(before.shop.get(name).copied().unwrap_or_default(), name);
        let generator = self.generator.since(before.generator, "load generator");
        (self.shop.iter().map(usage).collect(), generator)
    }
}

/// The process ids of the shop's processes, by name.
pub fn pids() -> BTreeMap<String, Vec<u32>> {
    let mut pids: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (path, name) in processes() {
        let pid: Option<u32> = path.file_name().and_then(|pid| pid.to_string_lossy().parse().ok());
        pids.entry(name).or_default().extend(pid);
    }
    pids
}

/// The shop's processes in /proc, with their names.
fn processes() -> impl Iterator<Item = (PathBuf, String)> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_string_lossy().parse().ok()?;
        let (command, _) = stat(&fs::read_to_string(entry.path().join("stat")).ok()?)?;
        let name = match command.as_str() {
            "souk" => format!("souk ({pid})"),
            "postgres" => "PostgreSQL".to_owned(),
            other if other.starts_with("nats-server") => "nats-server".to_owned(),
            _ => return None,
        };
        Some((entry.path(), name))
    })
}

fn used(process: &Path) -> Option<Used> {
    let (_, ticks) = stat(&fs::read_to_string(process.join("stat")).ok()?)?;
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let switches = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    let switches = switches.map(|status| sum_of(&status, &["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"]));
    let memory = fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    Some(Used { ticks, switches: switches.sum(), memory_kib: sum_of(&memory, &["Pss:"]) })
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
            let shop = BTreeMap::from([("PostgreSQL".to_owned(), Used { ticks, switches, memory_kib })]);
            Reading { shop, generator: Used { ticks: ticks / 10, ..Used::default() } }
        };
        let (shop, generator) = reading(350, 90, 2048).since(&reading(100, 50, 1024));
        let expected = Usage { name: "PostgreSQL".into(), cpu_seconds: 2.5, context_switches: 40, memory_mib: 2.0 };
        assert_eq!(shop, [expected]);
        assert!((generator.cpu_seconds - 0.25).abs() < f64::EPSILON);
    }

    #[test]
    fn this_process_is_the_generator() {
        let (before, began) = (Reading::now(), std::time::Instant::now());
        while began.elapsed() < std::time::Duration::from_millis(50) {}
        let (_, generator) = Reading::now().since(&before);
        assert!(generator.cpu_seconds > 0.0 && generator.memory_mib > 0.0, "{generator:?}");
    }
}
