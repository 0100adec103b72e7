//! The readable number of an order, made from its id: the day, the millisecond of the day and 33 random bits.

use chrono::{DateTime, NaiveTime, Utc};
use subjects::OrderId;

/// Crockford's base32 alphabet, which omits ambiguous letters.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns a number such as `SK-261120-3F7K2Q-9ZXB1M`. Two orders of one millisecond collide with a probability of 1 in
/// 8,589,934,592; the unique index rejects the second, which is placed again under another id.
pub(crate) fn order_number(id: OrderId) -> String {
    let bits = id.0.as_u128();
    let time = i64::try_from(bits >> 80).ok().and_then(DateTime::<Utc>::from_timestamp_millis).unwrap_or_default();
    let millisecond = (time.time() - NaiveTime::MIN).num_milliseconds().unsigned_abs();
    // The lowest bits of the id are random.
    let random = (bits & ((1 << 33) - 1)) as u64;
    let code = (millisecond << 33) | random;
    let letter = |index: u32| char::from(LETTERS[(code >> (5 * (11 - index)) & 31) as usize]);
    let half = |from: u32| (from..from + 6).map(letter).collect::<String>();
    format!("SK-{}-{}-{}", time.format("%y%m%d"), half(0), half(6))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_number_is_readable_and_always_the_same() {
        let id: OrderId = "019aa000-0000-7000-8000-0000000000ff".parse().unwrap();
        let number = order_number(id);
        assert_eq!(number, order_number(id));
        assert!(number.starts_with("SK-2511"), "{number}");
        assert!(number.ends_with("00007Z"), "{number}");
        assert_eq!(number.len(), 23);
    }

    #[test]
    fn numbers_of_orders_made_together_differ() {
        let numbers: HashSet<String> = (0..10_000).map(|_| order_number(OrderId::new())).collect();
        assert_eq!(numbers.len(), 10_000);
    }
}
