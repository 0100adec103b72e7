//! The timeline of a run. Each line is printed as it happens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub struct Timeline {
    began: Instant,
    faults: AtomicUsize,
}

impl Timeline {
    pub fn start() -> Self {
        Self { began: Instant::now(), faults: AtomicUsize::new(0) }
    }

    /// Records a step of the run.
    pub fn step(&self, what: &str) {
        println!("[{:6.1} s] {what}", self.began.elapsed().as_secs_f64());
    }

    /// Records an injected fault.
    pub fn fault(&self, what: &str) {
        let number = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        self.step(&format!("fault {number:3}: {what}"));
    }

    pub fn faults(&self) -> usize {
        self.faults.load(Ordering::Relaxed)
    }
}
