//! The address of the client. A proxy appends the address of its peer to `X-Forwarded-For`, and the client may have
//! written anything before that: from the right, entries count for as long as a trusted proxy has written them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;
use poem::{Request, http::HeaderMap};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose `X-Forwarded-For` is trusted. None by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Addresses and CIDRs, comma-separated.
impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let network = |entry: &str| match entry.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => entry.parse().map_err(|_| format!("{entry:?} is neither an IP address nor a CIDR")),
        };
        entries.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// The address of a request's client.
    pub(crate) fn client_of(&self, request: &Request) -> IpAddr {
        // Only a request of a test has no socket.
        let peer = request.remote_addr().as_socket_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), SocketAddr::ip);
        self.client(peer, request.headers())
    }

    /// The rightmost address that is not a trusted proxy's, else the leftmost one. A malformed entry ends the search at
    /// the proxy that wrote it: what stands before it is no more reliable.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        while self.0.iter().any(|network| network.contains(&client)) {
            let Some(address) = entries.next().and_then(parse) else { break };
            client = address;
        }
        client
    }
}

/// An address, with or without a port. IPv6 may be in brackets.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    const PROXIES: &str = "10.0.0.0/8, 192.0.2.1, 2001:db8:ffff::/48";

    fn client(peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let proxies: TrustedProxies = PROXIES.parse().unwrap();
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_the_client_whatever_it_sends() {
        for lines in [&[][..], &["198.51.100.9"], &["198.51.100.9, 10.0.0.1"], &["junk"]] {
            assert_eq!(client("203.0.113.7", lines), "203.0.113.7", "{lines:?}");
        }
    }

    #[test]
    fn the_rightmost_untrusted_entry_is_the_client() {
        assert_eq!(client("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.7, 10.0.0.2,192.0.2.1"]), "203.0.113.7", "several hops");
        assert_eq!(client("10.0.0.1", &["198.51.100.9, 203.0.113.7, 10.0.0.2"]), "203.0.113.7", "a forged entry");
        assert_eq!(client("10.0.0.1", &["203.0.113.7, 192.0.2.2"]), "192.0.2.2", "not a proxy of ours");
        assert_eq!(client("10.0.0.1", &["198.51.100.9", "203.0.113.7", "10.0.0.2"]), "203.0.113.7", "several lines");
    }

    #[test]
    fn behind_proxies_alone_the_leftmost_is_the_client() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn ipv6_and_ports_are_read() {
        assert_eq!(client("2001:db8:ffff::1", &["2001:db8:1::7"]), "2001:db8:1::7");
        assert_eq!(client("2001:db8:ffff::1", &["[2001:db8:1::7]:443"]), "2001:db8:1::7");
        assert_eq!(client("2001:db8:ffff::1", &["[2001:db8:1::7]"]), "2001:db8:1::7");
        assert_eq!(client("10.0.0.1", &["203.0.113.7:4711"]), "203.0.113.7");
        // A listener on `::` sees IPv4 peers so.
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn a_malformed_entry_ends_the_search_at_the_proxy_that_wrote_it() {
        for line in ["203.0.113.7, unknown", "203.0.113.7,", "203.0.113.7, _hidden", "203.0.113.7, 300.0.0.1", ""] {
            assert_eq!(client("10.0.0.1", &[line]), "10.0.0.1", "{line}");
        }
        assert_eq!(client("10.0.0.1", &["203.0.113.7, junk, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["junk, 203.0.113.7"]), "203.0.113.7", "never reached");
        assert_eq!(client("10.0.0.1", &["203.0.113.7, \u{fc}"]), "10.0.0.1");
    }

    #[test]
    fn trusted_proxies_are_addresses_and_networks() {
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
        assert_eq!(PROXIES.parse::<TrustedProxies>().unwrap().0.len(), 3);
        for wrong in ["proxy.example", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1 10.0.0.2"] {
            assert!(wrong.parse::<TrustedProxies>().unwrap_err().contains("neither"), "{wrong}");
        }
    }
}
