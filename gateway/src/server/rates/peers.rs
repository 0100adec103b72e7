//! The other gateways.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

/// After this long without a message a gateway counts as lost.
const SILENCE: Duration = Duration::from_secs(3);

/// When each of the other gateways has last sent its counts.
#[derive(Default)]
pub(super) struct Peers(HashMap<Uuid, Instant>);

impl Peers {
    pub(super) fn received(&mut self, gateway: Uuid, now: Instant) {
        self.0.insert(gateway, now);
    }

    pub(super) fn stopped(&mut self, gateway: Uuid) {
        self.0.remove(&gateway);
    }

    /// By how many the limits are divided. While any other gateway is received, counts are exchanged and nothing is
    /// divided; one that stays silent meanwhile has died. If all are silent, this gateway may be the one that is cut
    /// off: it then takes its share among all that it knew.
    pub(super) fn divisor(&mut self, now: Instant) -> u32 {
        let Some(latest) = self.0.values().max().copied() else { return 1 };
        self.0.retain(|_, at| latest.saturating_duration_since(*at) < SILENCE);
        if now.saturating_duration_since(latest) < SILENCE { 1 } else { self.count() }
    }

    /// The known gateways, this one included.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn alone_from_the_start_a_gateway_has_the_whole_limit() {
        assert_eq!(Peers::default().divisor(Instant::now()), 1);
    }

    #[test]
    fn limits_are_divided_by_the_last_known_count_when_all_others_are_silent() {
        let (mut peers, start) = (Peers::default(), Instant::now());
        let at = |tenths: u64| start + Duration::from_millis(100 * tenths);
        peers.received(ONE, at(0));
        // Cut off in the middle of a round: one of them was received a little later.
        peers.received(OTHER, at(5));
        assert_eq!(peers.divisor(at(34)), 1);
        assert_eq!([peers.divisor(at(35)), peers.divisor(at(100_000))], [3, 3]);
        peers.received(ONE, at(100_001));
        assert_eq!(peers.divisor(at(100_002)), 1);
    }

    #[test]
    fn a_gateway_that_died_or_stopped_no_longer_counts() {
        let (mut peers, start) = (Peers::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        peers.received(ONE, at(0));
        peers.received(OTHER, at(10));
        assert_eq!((peers.divisor(at(10)), peers.count()), (1, 2));
        peers.stopped(OTHER);
        assert_eq!((peers.divisor(at(100)), peers.count()), (1, 1));
    }
}
