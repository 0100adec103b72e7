//! Gateways send each other what they have admitted, twice a second, on a subject of core NATS. A lost message lets a
//! client have that much more; a gateway that receives nothing takes its share of the limits (`peers.rs`).

use std::{convert::Infallible, time::Duration};

use contract::subject::RATES;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use super::{Rates, State, bucket::Count};
use crate::server::gateway::Gateway;

const EVERY: Duration = Duration::from_millis(500);

/// The most counts of a message, some 500 kB; a NATS message has at most 1 MiB.
const MOST_COUNTS: usize = 5000;

/// The pause before the subject is subscribed to again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a gateway has admitted since its last report.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    gateway: Uuid,
    counts: Vec<Count>,
    /// The gateway stops: the others no longer expect it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_last: bool,
}

impl Rates {
    /// What was admitted here since the last call. Also drops full buckets, and notices the silence of other gateways.
    pub(super) fn tick(&self, now: Instant) -> Vec<Count> {
        let State { buckets, peers, divisor } = &mut *self.state.lock();
        let counts = buckets.sweep(now);
        *divisor = peers.divisor(now);
        metrics::gauge!("http_rate_keys").set(buckets.len() as f64);
        metrics::gauge!("http_rate_gateways").set(f64::from(peers.count()));
        counts
    }

    /// The messages for the other gateways; one at least, which shows that this gateway is there.
    pub(super) fn reports(&self, now: Instant) -> Vec<Vec<u8>> {
        let counts = self.tick(now);
        if counts.is_empty() {
            return vec![self.report(Vec::new(), false)];
        }
        counts.chunks(MOST_COUNTS).map(|some| self.report(some.to_vec(), false)).collect()
    }

    /// The last message of this gateway.
    pub(super) fn last_report(&self) -> Vec<u8> {
        self.report(self.tick(Instant::now()), true)
    }

    fn report(&self, counts: Vec<Count>, is_last: bool) -> Vec<u8> {
        // Keys and numbers only, which cannot fail.
        serde_json::to_vec(&Report { gateway: self.id, counts, is_last }).unwrap_or_default()
    }

    /// Counts what another gateway has admitted.
    pub(super) fn receive(&self, message: &[u8], now: Instant) {
        let Ok(Report { gateway, counts, is_last }) = serde_json::from_slice(message) else {
            tracing::warn!("report of another gateway could not be read");
            return;
        };
        if gateway == self.id {
            return;
        }
        let State { buckets, peers, divisor } = &mut *self.state.lock();
        match is_last {
            true => peers.stopped(gateway),
            false => peers.received(gateway, now),
        }
        for Count { key, taken } in counts {
            if let Some(size) = self.limits.of(key.class).size() {
                buckets.of(key, now).charge(taken, size.shared_by(*divisor), now);
            }
        }
    }
}

/// Exchanges counts with the other gateways, until it is dropped.
pub(crate) async fn exchange(gateway: &Gateway) -> Infallible {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Subscribing can hang while the connection is down.
        if let Ok(Ok(mut reports)) = timeout(EVERY, gateway.client.connection().subscribe(RATES)).await {
            loop {
                tokio::select! {
                    report = reports.next() => match report {
                        Some(report) => gateway.rates.receive(&report.payload, Instant::now()),
                        None => break,
                    },
                    _ = ticks.tick() => send(gateway, gateway.rates.reports(Instant::now())).await,
                }
            }
        }
        tracing::warn!("reports of other gateways are not received");
        gateway.rates.tick(Instant::now());
        sleep(PAUSE).await;
    }
}

/// Announces to the other gateways that this one stops.
pub(crate) async fn stop(gateway: &Gateway) {
    send(gateway, vec![gateway.rates.last_report()]).await;
    // The process may end at once.
    drop(timeout(EVERY, gateway.client.connection().flush()).await);
}

/// Without a connection nothing is sent: it would arrive when it no longer counts.
async fn send(gateway: &Gateway, reports: Vec<Vec<u8>>) {
    if !gateway.client.is_connected() {
        return;
    }
    for report in reports {
        if timeout(EVERY, gateway.client.connection().publish(RATES, report.into())).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::limits, *};

    #[test]
    fn a_report_is_readable_and_may_come_from_another_release() {
        let rates = Rates::new(limits("10/m"));
        let count = serde_json::json!({"class": "auth", "owner": {"address": "203.0.113.7"}, "taken": 3});
        let message = serde_json::json!({"gateway": Uuid::from_u128(1), "counts": [count], "more": 1});
        rates.receive(message.to_string().as_bytes(), Instant::now());
        rates.receive(b"{}", Instant::now());
        let state = rates.state.lock();
        assert_eq!((state.buckets.len(), state.peers.count()), (1, 2));
    }

    #[test]
    fn many_counts_take_several_messages_below_the_bound_of_one() {
        let (rates, now) = (Rates::new(limits("10/m")), Instant::now());
        let request = poem::Request::builder().uri_str("/api/v1/products").finish();
        for number in 0..7000_u32 {
            let address = (0x2001_0db8_u128 << 96) | (u128::from(u32::MAX - number) << 64);
            rates.count(&request, std::net::Ipv6Addr::from_bits(address).into(), now);
        }
        let reports = rates.reports(now);
        assert_eq!(reports.len(), 2);
        assert!(reports.iter().all(|report| report.len() < 800_000), "{}", reports[0].len());
        assert_eq!(rates.reports(now).len(), 1, "an empty one");
    }
}
