//! Webhook signatures: `t=<unix time>,v1=<hex of HMAC-SHA256>`, over the time and the body.

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Maximum age of a signature, and how far its time may lie in the future, in seconds.
const WINDOW: i64 = 300;

/// Maximum number of signatures that are checked per notice. During a rotation of the secret there are two.
const SIGNATURES: usize = 8;

/// Whether the provider signed this body within [`WINDOW`].
pub(super) fn is_valid(secret: &str, header: &str, body: &str, now: DateTime<Utc>) -> bool {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) => time = Some(value),
            Some(("v1", value)) if signatures.len() < SIGNATURES => signatures.extend(bytes_of(value)),
            _ => {}
        }
    }
    let Some(time) = time else { return false };
    let is_lately = time.parse::<i64>().is_ok_and(|time| now.timestamp().abs_diff(time) <= WINDOW.unsigned_abs());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(format!("{time}.").as_bytes());
    mac.update(body.as_bytes());
    // `verify_slice` compares in constant time.
    !secret.is_empty() && is_lately && signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = (0..hex.len()).step_by(2);
    is_digest.then(|| pairs.filter_map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_test";
    const BODY: &str = r#"{"id":"evt_1"}"#;
    // printf '1767323045.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
    const SIGNED: &str = "v1=f121f4aa13380581f2a95e878fd1621b234c7b263c1fecff2bc3a8ef778d5957";

    fn at(time: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(time, 0).unwrap()
    }

    fn check(header: &str, body: &str, now: i64) -> bool {
        is_valid(SECRET, header, body, at(now))
    }

    #[test]
    fn a_right_signature_is_taken_for_five_minutes() {
        let header = format!("t=1767323045,{SIGNED}");
        for (now, is_taken) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
            assert_eq!(check(&header, BODY, 1_767_323_045 + now), is_taken, "{now}");
        }
    }

    #[test]
    fn one_right_signature_among_several_is_enough() {
        let header = format!("t=1767323045, v1={}, v0=x, {SIGNED}", "0".repeat(64));
        assert!(check(&header, BODY, 1_767_323_045));
    }

    #[test]
    fn whatever_was_changed_is_not_taken() {
        let other = format!("v1={}", "0".repeat(64));
        for header in [
            String::new(),
            "t=1767323045".into(),
            SIGNED.into(),
            format!("t=1767323046,{SIGNED}"),
            format!("t=x,{SIGNED}"),
            format!("t=1767323045,{other}"),
            "t=1767323045,v1=ab".into(),
        ] {
            assert!(!check(&header, BODY, 1_767_323_045), "{header}");
        }
        let header = format!("t=1767323045,{SIGNED}");
        assert!(!check(&header, r#"{"id":"evt_2"}"#, 1_767_323_045));
        assert!(!is_valid("", &header, BODY, at(1_767_323_045)), "without a secret nothing is signed");
    }
}
