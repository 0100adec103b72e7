//! Removes what looks like a secret or an e-mail address from a line of a log, on its way to a sink.
//!
//! The last line of defence: code must not log such values in the first place, and much of a person's data (a name, a
//! postal address) has no pattern that would be found here.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::Arc,
};

use anyhow::Result;
use regex::bytes::{Captures, Match, Regex, RegexBuilder};

const REDACTED: &[u8] = b"[redacted]";

/// Each alternative has one group, the value that is replaced. The named groups are checked further. An escape of JSON
/// or of the terminal is skipped, because its last letter would otherwise count as part of the value.
const VALUES: &str = r#"
(?:\\u[0-9a-fA-F]{4}|\\[^u]|\x1b\[[0-9;]*m)?
(?:
  (?i:password|passwd|client_secret|access_token|refresh_token|api_key)
    (?:\\?"?\x20?[:=]\x20?\\?"([^"\\]+)|\x20?[:=]\x20?([^\x00-\x20"\\,;&)\]}]+))
| (?i:bearer)\x20+([A-Za-z0-9._~+/=-]{16,})
| ://[^\x00-\x20"\\/@:]*:([^\x00-\x20"\\/@]+)@
| (eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*)
| (\$argon2[^\x00-\x20"\\]+)
| ([A-Za-z0-9_]+_secret_[A-Za-z0-9]{8,})
| ([^\x00-\x20"\\@<>()\[\]{},:;='|/&]+
    @[^\x00-\x20"\\@<>()\[\]{},:;='|/&.]+(?:\.[^\x00-\x20"\\@<>()\[\]{},:;='|/&.]+)+)
)
|
(?:\\u[0-9a-fA-F]{4}|\\[^u]|\x1b\[[0-9;]*m|\b{start-half})
(?:
  ((?:sk|rk|whsec)_[A-Za-z0-9_]{8,})
| (?P<word>[A-Za-z0-9_-]{40,})
| (?P<card>
    [2-6][0-9]{3}\x20[0-9]{4}\x20[0-9]{4}\x20[0-9]{4}
  | [2-6][0-9]{3}-[0-9]{4}-[0-9]{4}-[0-9]{4}
  | 3[0-9]{3}[\x20-][0-9]{6}[\x20-][0-9]{4,5}
  | [0-9]{13,})
)"#;

/// Finds the values to remove.
pub(super) struct Scrubber(Regex);

impl Scrubber {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(RegexBuilder::new(VALUES).ignore_whitespace(true).unicode(false).build()?))
    }

    /// The line without these values. Valid JSON stays valid.
    pub(super) fn clean<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut clean = Vec::new();
        let (mut copied, mut from) = (0, 0);
        while let Some(found) = self.0.captures_at(line, from) {
            let Some((value, end)) = found.iter().skip(1).flatten().next().zip(found.get(0).map(|all| all.end()))
            else {
                break;
            };
            if !is_secret(line, &found) {
                // A card number may begin with the next group of digits.
                let digits = value.as_bytes().iter().take_while(|byte| byte.is_ascii_digit()).count();
                from = if found.name("card").is_some() { value.start() + digits } else { end };
                continue;
            }
            clean.extend_from_slice(&line[copied..value.start()]);
            if found.name("card").is_some() {
                // A number stays one: it may be a number of JSON.
                clean.extend(value.as_bytes().iter().map(|byte| if byte.is_ascii_digit() { b'9' } else { *byte }));
            } else {
                clean.extend_from_slice(REDACTED);
            }
            copied = value.end();
            from = end;
        }
        if copied == 0 {
            return Cow::Borrowed(line);
        }
        clean.extend_from_slice(&line[copied..]);
        Cow::Owned(clean)
    }
}

fn is_secret(line: &[u8], found: &Captures<'_>) -> bool {
    if let Some(word) = found.name("word") {
        return is_random(word.as_bytes());
    }
    if let Some(card) = found.name("card") {
        let continues = after(line, &card, 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return !continues && !is_fraction(line, &card) && is_card(card.as_bytes());
    }
    true
}

fn before(line: &[u8], value: &Match<'_>, distance: usize) -> Option<u8> {
    line.get(value.start().checked_sub(distance)?).copied()
}

fn after(line: &[u8], value: &Match<'_>, distance: usize) -> Option<u8> {
    line.get(value.end() + distance - 1).copied()
}

/// Whether the digits are those before or after a decimal point.
fn is_fraction(line: &[u8], value: &Match<'_>) -> bool {
    let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
    before(line, value, 1) == Some(b'.') && is_digit(before(line, value, 2))
        || after(line, value, 1) == Some(b'.') && is_digit(after(line, value, 2))
}

/// Whether a long word is random: base64 or base32. Names and hexadecimal digests have lower-case letters only.
fn is_random(word: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| word.iter().any(is);
    let is_base32 = !word.contains(&b'-') && !word.contains(&b'_');
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit) && (has(u8::is_ascii_lowercase) || is_base32)
}

/// Whether digits have the length, the first digit and the check digit of a card number.
fn is_card(digits: &[u8]) -> bool {
    let digits: Vec<u32> = digits.iter().filter_map(|byte| char::from(*byte).to_digit(10)).collect();
    let doubled = |digit: u32| digit * 2 / 10 + digit * 2 % 10;
    let places = digits.iter().rev().enumerate();
    let sum: u32 = places.map(|(place, digit)| if place % 2 == 0 { *digit } else { doubled(*digit) }).sum();
    (13..=19).contains(&digits.len())
        && digits.first().is_some_and(|first| (2..=6).contains(first))
        && sum.is_multiple_of(10)
}

/// A sink of clean lines. Each call of `write` must have whole lines, as those of `tracing-subscriber` do.
pub(super) struct Scrubbed<W> {
    pub(super) scrubber: Arc<Scrubber>,
    pub(super) sink: W,
}

impl<W: Write> Write for Scrubbed<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.write_all(&self.scrubber.clean(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(line: &str) -> String {
        String::from_utf8(Scrubber::new().unwrap().clean(line.as_bytes()).into_owned()).unwrap()
    }

    const RANDOM: &str = "Zx3kPq-91LmNtUvWyAbCdEfGh_iJkLmNoPqRsTuVw42";

    #[test]
    fn a_secret_is_removed_and_what_is_around_it_stays() {
        let jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTlhIn0.c2lnbmF0dXJl-_x";
        let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
        for (line, expected) in [
            (format!("header Authorization: Bearer {jwt}, next"), "header Authorization: Bearer [redacted], next"),
            (format!("token {jwt}. Next"), "token [redacted]. Next"),
            ("key sk_test_51Hxyz rejected".into(), "key [redacted] rejected"),
            ("key whsec_0123456789abcdef".into(), "key [redacted]"),
            (format!("cart_{RANDOM} opened"), "[redacted] opened"),
            (format!("refreshed by {RANDOM}"), "refreshed by [redacted]"),
            (format!("seed {seed}"), "seed [redacted]"),
            ("pi_019aa0007000_secret_0123456789abcdef".into(), "[redacted]"),
            ("postgres://orders:hunter2@db:5432/orders".into(), "postgres://orders:[redacted]@db:5432/orders"),
            ("hash $argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(), "hash [redacted]"),
            ("Login { password: \"a good one\", x: 1 }".into(), "Login { password: \"[redacted]\", x: 1 }"),
            ("?password=hunter2&x=1".into(), "?password=[redacted]&x=1"),
        ] {
            assert_eq!(clean(&line), expected, "{line}");
        }
    }

    #[test]
    fn an_email_address_is_removed() {
        for (line, expected) in [
            ("sent to ann.b+c@mail.example.com.", "sent to [redacted]."),
            ("email=ann@example.com,x", "email=[redacted],x"),
            ("<ann@example.com>", "<[redacted]>"),
            ("j\u{fc}rgen@b\u{fc}cher.example", "[redacted]"),
            (
                "\u{1b}[3memail\u{1b}[0m\u{1b}[2m=\u{1b}[0mann@example.com",
                "\u{1b}[3memail\u{1b}[0m\u{1b}[2m=\u{1b}[0m[redacted]",
            ),
        ] {
            assert_eq!(clean(line), expected, "{line}");
        }
    }

    #[test]
    fn a_card_number_is_masked_however_it_is_written() {
        for (line, expected) in [
            ("4242424242424242", "9999999999999999"),
            ("card 4242 4242 4242 4242 12/34 123", "card 9999 9999 9999 9999 12/34 123"),
            ("try 2004 4242 4242 4242 4242", "try 2004 9999 9999 9999 9999"),
            ("card 5555-5555-5555-4444.", "card 9999-9999-9999-9999."),
            ("3782 822463 10005", "9999 999999 99999"),
            ("[378282246310005]", "[999999999999999]"),
            ("pan=6011111111111117,", "pan=9999999999999999,"),
        ] {
            assert_eq!(clean(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_json_stays_one() {
        let text =
            "no\n4242424242424242\tann@example.com \"password\": \"a b\" \u{7}sk_live_0123456789 \\eyJhbGciOiJ9.e30";
        let line =
            serde_json::json!({"message": text, "number": 4_242_424_242_424_242_u64, "path": "C:\\ann@example.com"});
        let cleaned = clean(&line.to_string());
        let read: serde_json::Value = serde_json::from_str(&cleaned).unwrap();
        let message = "no\n9999999999999999\t[redacted] \"password\": \"[redacted]\" \u{7}[redacted] \\[redacted]";
        assert_eq!(read["message"], message, "{cleaned}");
        assert_eq!(read["number"], 9_999_999_999_999_999_u64);
        assert_eq!(read["path"], "C:\\[redacted]");
    }

    #[test]
    fn ids_times_positions_and_amounts_stay() {
        for line in [
            r#"{"timestamp":"2026-12-01T10:20:30.123456789Z","level":"INFO","message":"order created"}"#,
            "order_id=019aa000-7000-7000-8000-0000000000ff order_number=SK-261120-3F7K2Q-9ZXB1M",
            "00000000-0000-0000-0000-000000000007 44444444-4444-4444-8444-444444444444",
            "f47ac10b-5812-4372-8567-123456789012 019aa00070007000800000000000000ff",
            r#"{"at":1795000000000,"micros":1795000000000000,"nanos":1795000000000000000,"position":"3:4815162342"}"#,
            r#"{"latency_ms":12.4242424242424242,"share":4242424242424242.5,"amount":4999900,"total":999999999999}"#,
            "4242424242424241 is no card, nor are 1111111111111117, 42424242424242424242 and x4242424242424242",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "evt.orders.placed.7 _INBOX_orders.x payments::provider::stripe::http",
            "127.0.0.1:8080 /v1/payment_intents/pi_1",
            "cart_version_mismatch invalid_refresh_token task_list_of_things the password is wrong, a bearer token",
            "postgres://db.example:5432/orders nats://n1:4222,nats://n2:4222 user@localhost",
            "select id, refresh_tokens.digest from refresh_tokens where password_hash = $1",
        ] {
            assert_eq!(clean(line), line);
        }
    }

    #[test]
    fn a_line_without_such_values_is_not_copied() {
        assert!(matches!(Scrubber::new().unwrap().clean(b"order created"), Cow::Borrowed(_)));
    }
}
