//! The open streams of each client, so that one takes no more than its share of those that anyone may open.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use contract::address::network_of;
use parking_lot::Mutex;

/// The number of open streams by the network of the client.
#[derive(Default)]
pub(crate) struct ClientStreams(Mutex<HashMap<IpAddr, usize>>);

/// RAII guard: dropping it releases the place.
pub(crate) struct ClientPlace {
    streams: Arc<ClientStreams>,
    network: IpAddr,
}

impl ClientStreams {
    /// Takes a place for a client, if it has fewer than `most`.
    pub(crate) fn enter(self: &Arc<Self>, client: IpAddr, most: usize) -> Option<ClientPlace> {
        let network = network_of(client);
        let mut open = self.0.lock();
        let count = open.entry(network).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(ClientPlace { streams: self.clone(), network })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.streams.0.lock().entry(self.network) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_a_bound_of_its_own_and_leaves_nothing_behind() {
        let streams = Arc::<ClientStreams>::default();
        let [one, neighbour, other] = ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|text| text.parse().unwrap());
        let first = streams.enter(one, 2);
        let second = streams.enter(neighbour, 2);
        assert!(first.is_some() && second.is_some());
        assert!(streams.enter(one, 2).is_none(), "both are in one network");
        assert!(streams.enter(other, 2).is_some());
        drop(first);
        assert!(streams.enter(one, 2).is_some());
        drop(second);
        assert!(streams.0.lock().is_empty());
    }
}
