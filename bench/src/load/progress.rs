//! One line per second during a run, on stderr, so that stdout has only the result.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::Window;
use super::tally::Tally;

pub(super) struct Progress {
    task: JoinHandle<()>,
}

impl Progress {
    pub fn start(name: &str, tally: Arc<Tally>, window: Window) -> Self {
        let name = name.to_owned();
        let task = tokio::spawn(async move {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            second.set_missed_tick_behavior(MissedTickBehavior::Skip);
            second.tick().await;
            loop {
                second.tick().await;
                eprintln!("{}", line(&name, &tally, window, Instant::now()));
            }
        });
        Self { task }
    }

    pub fn stop(self) {
        drop(self);
    }
}

/// Also stops the output when the run is aborted, so that no line follows the end of the phase.
impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn line(name: &str, tally: &Tally, window: Window, now: Instant) -> String {
    let elapsed = (now - window.start).as_secs();
    let (stage, done, since) = if now < window.open {
        ("warming up", tally.before_window.load(Ordering::Relaxed), now - window.start)
    } else if now < window.close {
        ("measuring", tally.in_window.load(Ordering::Relaxed), now - window.open)
    } else {
        ("waiting for the last replies", tally.in_window.load(Ordering::Relaxed), window.close - window.open)
    };
    let rate = done as f64 / since.as_secs_f64().max(0.001);
    let failed = tally.failed.load(Ordering::Relaxed);
    let worst = tally.worst_error().map(|(kind, count)| format!(", {count} of them: {kind}")).unwrap_or_default();
    format!("{name:<18} {elapsed:>4} s  {rate:>9.1}/s  errors {failed}{worst}  ({stage})")
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn errors_stand_beside_the_rate() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let window = Window { start, open: after(1), close: after(11) };
        let tally = Tally::new(&["order"], window).expect("a tally");
        tally.note(0, after(2), after(2), &Outcome { units: 200, ..Outcome::one(&[0]) });
        tally.note(0, after(2), after(2), &Outcome::error("503 overloaded"));
        let line = line("checkout", &tally, window, after(3));
        assert!(line.contains("100.0/s  errors 1, 1 of them: 503 overloaded  (measuring)"), "{line}");
    }
}
