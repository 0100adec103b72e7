//! Overload: more clients than the shop can serve. A rejection is an expected result here: the rate of confirmed orders
//! should stay near its peak, and reads should be served meanwhile.

use std::sync::Arc;

use serde::Serialize;

use super::browse::{Page, Pages};
use super::ledger::Ledger;
use super::order::{Attempt, Buying, IN_PROGRESS, Placed, outcome};
use super::preparation::{Prepared, prepare};
use super::{Outcome, Phase, Runner};
use crate::http::Client;
use crate::load::{self, Measured, PAUSE_AFTER_ERROR, Plan, Script};

/// The multiples of the clients that saturate the shop.
const TIMES: [u32; 4] = [2, 4, 8, MOST_TIMES];
pub const MOST_TIMES: u32 = 16;

/// Clients that read beside the orders, and their rate. Many for the rate: a read that takes two seconds must not delay
/// the next one.
pub const READERS: u32 = 100;
const READS_PER_SECOND: u32 = 50;

const REJECTED: &[usize] = &[0];
const ACCEPTED: &[usize] = &[1];
const CONFIRMED: &[usize] = &[1, 2];

/// One multiple of the clients, of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub times: u32,
    pub clients: u32,
    /// Whether the clients wait for as long as `Retry-After` says, or only for 50 ms.
    pub honours_retry_after: bool,
    /// Confirmed orders per second.
    pub goodput: f64,
    /// The goodput in proportion to that of the clients that saturate the shop.
    pub of_peak: f64,
    pub rejections_per_second: f64,
    /// Of the attempts that were confirmed.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// The share of reads that were served.
    pub reads_served: f64,
    pub read_p99_ms: f64,
    /// The memory of all nodes at the end.
    pub memory_mib: f64,
}

pub async fn run(runner: &Runner<'_>) -> anyhow::Result<Outcome> {
    let arguments = runner.arguments;
    let [saturating] = arguments.clients[..] else {
        anyhow::bail!("overload takes one number of clients: that which saturates the shop");
    };
    anyhow::ensure!(arguments.rate.is_none(), "overload is a closed loop: its clients wait for replies");
    let prepared = prepare(arguments, 1 + 2 * TIMES.len()).await?;
    let pages = Arc::new(Pages::of(prepared.shop().clone()).await?);
    let rows = std::iter::once((1, true)).chain(TIMES.into_iter().flat_map(|times| [(times, true), (times, false)]));
    let mut all = Outcome::default();
    for (times, honours) in rows {
        let (phase, reads) = step(runner, &prepared, &pages, (saturating, times), honours).await?;
        let peak = all.steps.first().map(|step: &Step| step.goodput);
        all.steps.push(summary(&phase, &reads, times, honours, peak));
        all.phases.push(phase);
        // Every order is decided before the next step. The check is of all steps so far.
        all.checks = vec![prepared.settle().await?];
    }
    Ok(all)
}

async fn step(
    runner: &Runner<'_>,
    prepared: &Prepared,
    pages: &Arc<Pages>,
    (saturating, times): (u32, u32),
    honours: bool,
) -> anyhow::Result<(Phase, Measured)> {
    let name = format!("overload/{times}x{}", if honours { "" } else { " impatient" });
    let plan = runner.arguments.plan(saturating * times);
    let crowd = Arc::new(Crowd { buying: prepared.buying(prepared.variants.len()), honours });
    let reading = Plan { clients: READERS, rate: Some(READS_PER_SECOND), ..plan.clone() };
    let readers = Arc::new(Readers { pages: Arc::clone(pages) });
    let orders = runner.phase(&name, &plan, crowd);
    let (mut phase, reads) = tokio::try_join!(orders, load::run("reads beside it", readers, &reading))?;
    for (kind, count) in &reads.errors {
        *phase.measured.errors.entry(format!("read: {kind}")).or_default() += count;
    }
    Ok((phase, reads))
}

fn summary(phase: &Phase, reads: &Measured, times: u32, honours: bool, peak: Option<f64>) -> Step {
    let Phase { measured, costs } = phase;
    let rate = |measured: &Measured, name: &str| measured.series(name).map_or(0.0, |figures| figures.per_second);
    let goodput = rate(measured, "confirmed");
    let (served, rejected) = (rate(reads, "read"), rate(reads, "rejected"));
    let failed = reads.errors.values().sum::<u64>() as f64 / reads.seconds;
    let nodes = costs.processes.iter().filter(|process| process.is_node());
    Step {
        times,
        clients: measured.clients,
        honours_retry_after: honours,
        goodput,
        of_peak: ratio(goodput, peak.unwrap_or(goodput)),
        rejections_per_second: rate(measured, "rejected"),
        p50_ms: measured.series("confirmed").map_or(0.0, |figures| figures.p50_ms),
        p99_ms: measured.series("confirmed").map_or(0.0, |figures| figures.p99_ms),
        reads_served: ratio(served, served + rejected + failed),
        read_p99_ms: reads.series("read").map_or(0.0, |figures| figures.p99_ms),
        memory_mib: nodes.map(|process| process.memory_mib).sum(),
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Clients that repeat an order under its key until it is decided.
struct Crowd {
    buying: Arc<Buying>,
    honours: bool,
}

struct Buyer {
    client: Client,
    /// The order that was rejected last.
    pending: Option<Attempt>,
    ledger: Arc<Ledger>,
}

impl Script for Crowd {
    type Hand = Buyer;
    const SERIES: &'static [&'static str] = &["rejected", "accepted", "confirmed"];

    async fn hand(&self, client: u32) -> anyhow::Result<Buyer> {
        let ledger = Arc::clone(&self.buying.ledger);
        Ok(Buyer { client: self.buying.shop.client(client), pending: None, ledger })
    }

    async fn step(&self, buyer: &mut Buyer, n: u64) -> load::Outcome {
        let attempt = buyer.pending.take().unwrap_or_else(|| self.buying.attempt(n));
        let placed = self.buying.place(&mut buyer.client, &attempt).await;
        let counted = count(&placed, self.honours);
        match placed {
            Placed::TryLater { .. } | Placed::Unknown(_) => buyer.pending = Some(attempt),
            placed => buyer.ledger.enter(attempt, placed),
        }
        counted
    }
}

fn count(placed: &Placed, honours: bool) -> load::Outcome {
    match placed {
        Placed::TryLater { after, .. } => {
            let pause = if honours { *after } else { PAUSE_AFTER_ERROR };
            load::Outcome { pause: Some(pause), ..load::Outcome::one(REJECTED) }
        }
        // An earlier attempt is still running. The next one gets its result.
        Placed::Unknown(kind) if kind == IN_PROGRESS => {
            load::Outcome { pause: Some(PAUSE_AFTER_ERROR), ..load::Outcome::one(&[]) }
        }
        Placed::Confirmed => load::Outcome::one(CONFIRMED),
        // Decided later: beyond a number of waiting clients, the shop does not wait with its reply.
        Placed::Undecided { .. } => load::Outcome::one(ACCEPTED),
        Placed::Ended { .. } => load::Outcome { series: ACCEPTED, ..outcome(placed) },
        Placed::Rejected(_) | Placed::Unknown(_) => outcome(placed),
    }
}

/// The settlement follows up an order that is still pending at the end.
impl Drop for Buyer {
    fn drop(&mut self) {
        if let Some(attempt) = self.pending.take() {
            self.ledger.enter(attempt, Placed::Unknown("pending at the end".into()));
        }
    }
}

struct Readers {
    pages: Arc<Pages>,
}

impl Script for Readers {
    type Hand = Client;
    const SERIES: &'static [&'static str] = &["rejected", "read"];

    async fn hand(&self, client: u32) -> anyhow::Result<Client> {
        Ok(self.pages.client(client))
    }

    async fn step(&self, client: &mut Client, n: u64) -> load::Outcome {
        match self.pages.read(client, n).await {
            Page::Product | Page::Listing => load::Outcome::one(&[1]),
            Page::Rejected => load::Outcome::one(&[0]),
            Page::Failed(kind) => load::Outcome::error(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::Address;

    #[test]
    fn a_rejection_is_counted_and_its_pause_is_that_of_the_client() {
        let rejected = Placed::TryLater { kind: "503 overloaded".into(), after: Duration::from_secs(1) };
        for (honours, pause) in [(true, Duration::from_secs(1)), (false, PAUSE_AFTER_ERROR)] {
            let counted = count(&rejected, honours);
            assert_eq!((counted.series, counted.pause, counted.error), (REJECTED, Some(pause), None));
        }
    }

    #[test]
    fn only_a_confirmed_order_is_goodput() {
        assert_eq!(count(&Placed::Confirmed, true).series, CONFIRMED);
        let undecided = Placed::Undecided { id: "o".into(), status: "pending".into() };
        assert_eq!(count(&undecided, true).series, ACCEPTED);
        assert!(count(&Placed::Unknown("504 deadline_exceeded".into()), true).error.is_some());
        let running = count(&Placed::Unknown(IN_PROGRESS.into()), true);
        assert!(running.series.is_empty() && running.error.is_none());
    }

    #[test]
    fn an_order_that_is_pending_at_the_end_is_followed_up() {
        let ledger = Arc::<Ledger>::default();
        let pending = Some(Attempt { key: uuid::Uuid::nil(), body: bytes::Bytes::new() });
        let client = Client::new(Address::loopback(1), Duration::from_secs(1));
        drop(Buyer { client, pending, ledger: Arc::clone(&ledger) });
        assert_eq!(ledger.sold().unknown, 1);
    }
}
