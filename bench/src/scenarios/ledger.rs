//! The units sold, for comparison with the stock. Includes warm-up and failures, which change the stock as well.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use serde::Serialize;
use tokio::time::Instant;

use super::order::{Attempt, Buying, Placed, is_sold};
use crate::shop::{Session, Shop, Stock, Variant};

/// The most orders to follow up. Further ones stay unknown, and the check becomes a range.
const MOST_OPEN: usize = 20_000;

/// Timeout for orders to be decided and reservations to be committed after the load.
const TIMEOUT: Duration = Duration::from_secs(60);

const ASKING_AT_ONCE: usize = 16;

#[derive(Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Holds,
    /// Consistent, but unknown orders leave room for a unit sold twice.
    Unproven,
    Broken,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Unproven => "NOT PROVEN",
            Self::Broken => "DOES NOT HOLD",
        })
    }
}

#[derive(Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    confirmed: i64,
    undecided: Vec<String>,
    unknown: Vec<Attempt>,
    beyond: i64,
}

/// The change of stock, over all variants that were bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moved {
    /// The decrease of `on_hand`.
    fallen: i64,
    /// The increase of reserved units.
    held: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sold {
    confirmed: i64,
    undecided: i64,
    pub(super) unknown: i64,
}

impl Ledger {
    pub fn enter(&self, attempt: Attempt, placed: Placed) {
        self.with(|entries| {
            let room = entries.undecided.len() + entries.unknown.len() < MOST_OPEN;
            match placed {
                Placed::Confirmed => entries.confirmed += 1,
                Placed::Undecided { id, .. } if room => entries.undecided.push(id),
                Placed::Unknown(_) | Placed::TryLater { .. } if room => entries.unknown.push(attempt),
                Placed::Undecided { .. } | Placed::Unknown(_) | Placed::TryLater { .. } => entries.beyond += 1,
                Placed::Ended { .. } | Placed::Rejected(_) => {}
            }
        });
    }

    pub(super) fn sold(&self) -> Sold {
        self.with(|entries| Sold {
            confirmed: entries.confirmed,
            undecided: entries.undecided.len() as i64,
            unknown: entries.unknown.len() as i64 + entries.beyond,
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Entries) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub struct Books<'a> {
    pub shop: &'a Shop,
    pub admin: &'a Session,
    pub variants: &'a [Variant],
    pub before: &'a [Stock],
}

impl Books<'_> {
    pub async fn settle(&self, buying: &Buying) -> anyhow::Result<Check> {
        eprintln!("comparing the units sold with the stock");
        let deadline = Instant::now() + TIMEOUT;
        loop {
            // Repeats until none is left: a single unknown order can hide a unit that was sold twice.
            repeat_unknown(buying, deadline).await;
            ask_undecided(buying).await;
            let (sold, moved) = (buying.ledger.sold(), self.moved().await?);
            let settled = moved.held == 0 && check(sold, moved).verdict == Verdict::Holds;
            if settled || Instant::now() >= deadline {
                return Ok(check(sold, moved));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn moved(&self) -> anyhow::Result<Moved> {
        let mut moved = Moved { fallen: 0, held: 0 };
        for (variant, before) in self.variants.iter().zip(self.before) {
            let now = self.shop.stock(self.admin, variant).await?;
            moved.fallen += before.on_hand - now.on_hand;
            moved.held += now.reserved - before.reserved;
        }
        Ok(moved)
    }
}

/// A request under the same key returns the first reply, or places the order now, which then counts as a sale.
async fn repeat_unknown(buying: &Buying, deadline: Instant) {
    let unknown = buying.ledger.with(|entries| std::mem::take(&mut entries.unknown));
    if unknown.is_empty() {
        return;
    }
    eprintln!("repeating {} orders with an unknown result", unknown.len());
    let repeated = futures::stream::iter(unknown.into_iter().enumerate()).for_each_concurrent(
        ASKING_AT_ONCE,
        |(n, attempt)| async move {
            let placed = if Instant::now() < deadline {
                buying.place(&mut buying.shop.client(n as u32), &attempt).await
            } else {
                Placed::Unknown("no time left to repeat it".into())
            };
            buying.ledger.enter(attempt, placed);
        },
    );
    repeated.await;
}

async fn ask_undecided(buying: &Buying) {
    let undecided = buying.ledger.with(|entries| std::mem::take(&mut entries.undecided));
    let requests = futures::stream::iter(undecided).for_each_concurrent(ASKING_AT_ONCE, |id| async move {
        let status = buying.shop.order_status(&buying.customer, &id).await;
        buying.ledger.with(|entries| match status.as_deref() {
            Ok(status) if is_sold(status) => entries.confirmed += 1,
            Ok("pending") | Err(_) => entries.undecided.push(id),
            Ok(_) => {}
        });
    });
    requests.await;
}

/// A sold unit has left `on_hand`, or is still reserved. An unknown order may be sold or not.
fn check(sold: Sold, moved: Moved) -> Check {
    let Sold { confirmed, undecided, unknown } = sold;
    let Moved { fallen, held } = moved;
    let gone = fallen + held;
    let possible = fallen <= confirmed + unknown && (confirmed..=confirmed + undecided + unknown).contains(&gone);
    let verdict = match (possible, undecided + unknown) {
        (false, _) => Verdict::Broken,
        (true, 0) => Verdict::Holds,
        (true, _) => Verdict::Unproven,
    };
    let hint = if possible { "" } else { " (was anyone else buying?)" };
    let text = format!(
        "stock fell by {fallen} and {held} are still reserved; \
         {confirmed} sold, {undecided} orders undecided, {unknown} of unknown fate{hint}"
    );
    Check { name: "units sold match the stock", verdict, text }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    fn verdict(confirmed: i64, undecided: i64, unknown: i64, fallen: i64, held: i64) -> Verdict {
        check(Sold { confirmed, undecided, unknown }, Moved { fallen, held }).verdict
    }

    #[test]
    fn every_unit_sold_left_the_stock_or_is_about_to() {
        assert_eq!(verdict(100, 0, 0, 100, 0), Verdict::Holds);
        assert_eq!(verdict(100, 0, 0, 97, 3), Verdict::Holds);
    }

    #[test]
    fn a_unit_sold_twice_or_lost_is_seen() {
        assert_eq!(verdict(100, 0, 0, 99, 0), Verdict::Broken, "sold and never taken from stock");
        assert_eq!(verdict(100, 0, 0, 101, 0), Verdict::Broken, "taken from stock and never sold");
        assert_eq!(verdict(100, 0, 0, 100, 1), Verdict::Broken, "reserved without an order");
        assert_eq!(verdict(100, 5, 0, 103, 0), Verdict::Broken, "taken from stock before payment");
    }

    #[test]
    fn an_unknown_outcome_proves_nothing() {
        assert_eq!(verdict(100, 2, 0, 100, 1), Verdict::Unproven);
        assert_eq!(verdict(100, 0, 90, 130, 0), Verdict::Unproven, "thirty sold twice would look the same");
        assert_eq!(verdict(100, 0, 3, 104, 0), Verdict::Broken);
    }

    #[test]
    fn orders_to_ask_about_are_bounded() {
        let ledger = Ledger::default();
        for _ in 0..MOST_OPEN + 5 {
            let attempt = Attempt { key: Uuid::nil(), body: Bytes::new() };
            ledger.enter(attempt, Placed::Unknown("503 overloaded".into()));
        }
        assert_eq!(ledger.sold().unknown, MOST_OPEN as i64 + 5);
        assert_eq!(ledger.with(|entries| entries.unknown.len()), MOST_OPEN);
    }
}
