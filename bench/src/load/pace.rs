//! Schedules steps and determines when each is due.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Window;

pub(super) struct Turn {
    pub number: u64,
    /// The start of the latency measurement. In the open loop it is the scheduled time, not the time at which a client
    /// was free: a stall of the shop then delays all steps scheduled during it (no coordinated omission).
    pub due: Instant,
}

pub(super) struct Pace {
    window: Window,
    rate: Option<u32>,
    next: AtomicU64,
}

impl Pace {
    pub fn new(window: Window, rate: Option<u32>) -> Self {
        Self { window, rate, next: AtomicU64::new(0) }
    }

    pub fn is_closed_loop(&self) -> bool {
        self.rate.is_none()
    }

    /// The next turn; `None` once the window has closed.
    pub async fn next(&self) -> Option<Turn> {
        let now = Instant::now();
        if now >= self.window.close {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(rate) = self.rate else {
            return Some(Turn { number, due: now });
        };
        let due = self.window.start + due_after(number, rate);
        if due >= self.window.close {
            return None;
        }
        tokio::time::sleep_until(due).await;
        Some(Turn { number, due })
    }

    /// How many scheduled turns no client was free to take.
    pub fn never_sent(&self) -> u64 {
        let Some(rate) = self.rate else { return 0 };
        let length = self.window.close - self.window.start;
        let scheduled = (length.as_secs_f64() * f64::from(rate)).floor() as u64;
        scheduled.saturating_sub(self.next.load(Ordering::Relaxed))
    }
}

fn due_after(number: u64, rate: u32) -> Duration {
    let rate = u64::from(rate);
    Duration::from_secs(number / rate) + Duration::from_nanos((number % rate) * 1_000_000_000 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(seconds: u64) -> Window {
        let start = Instant::now();
        Window { start, open: start, close: start + Duration::from_secs(seconds) }
    }

    #[test]
    fn the_schedule_is_even() {
        assert_eq!(due_after(0, 200), Duration::ZERO);
        assert_eq!(due_after(1, 200), Duration::from_millis(5));
        assert_eq!(due_after(401, 200), Duration::from_millis(2005));
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_turn_is_due_when_it_should_have_been() {
        let pace = Pace::new(window(10), Some(10));
        let first = pace.next().await.expect("a turn");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let second = pace.next().await.expect("a turn");
        assert_eq!(second.due - first.due, Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn turns_that_were_not_taken_are_counted() {
        let pace = Pace::new(window(2), Some(10));
        pace.next().await.expect("a turn");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(pace.next().await.is_none());
        assert_eq!(pace.never_sent(), 19);
    }

    #[tokio::test(start_paused = true)]
    async fn the_closed_loop_has_no_schedule_to_miss() {
        let pace = Pace::new(window(2), None);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(pace.next().await.is_none());
        assert_eq!(pace.never_sent(), 0);
    }
}
