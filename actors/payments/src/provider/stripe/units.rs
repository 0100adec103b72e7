//! Stripe's units of money: ISO 4217's minor units, except in a few currencies.

use subjects::{Currency, Money};

/// The decimals of Stripe's unit.
fn decimals(currency: Currency) -> u32 {
    match currency.code() {
        "ISK" | "UGX" => 2,
        "MGA" => 0,
        _ => currency.decimals(),
    }
}

/// An amount in Stripe's unit. `None` if Stripe does not accept it: it has no such fraction, or the last of three
/// decimals is not 0.
pub(super) fn sent(money: Money) -> Option<i64> {
    let to = decimals(money.currency);
    let amount = scaled(money.amount, money.currency.decimals(), to)?;
    (to < 3 || amount % 10 == 0).then_some(amount)
}

/// An amount of Stripe in minor units. The amount of an unknown currency, which no payment has, stays as it is.
pub(super) fn received(amount: i64, currency: &str) -> Option<i64> {
    match currency.to_uppercase().parse::<Currency>() {
        Ok(currency) => scaled(amount, decimals(currency), currency.decimals()),
        Err(_) => Some(amount),
    }
}

/// The amount of a dispute, rounded up to a minor unit: exchange rates may leave a fraction of one.
pub(super) fn disputed(amount: i64, currency: &str) -> Option<i64> {
    const LARGEST_FACTOR: i64 = 100;
    (0..LARGEST_FACTOR).find_map(|more| received(amount.checked_add(more)?, currency))
}

fn scaled(amount: i64, from: u32, to: u32) -> Option<i64> {
    let by = 10_i64.checked_pow(from.abs_diff(to))?;
    if to >= from { amount.checked_mul(by) } else { (amount % by == 0).then_some(amount / by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_sent_and_read_in_stripes_units() {
        // The same amount in minor units and in Stripe's unit.
        for (code, minor, stripes) in [
            ("USD", 1999, 1999),
            ("JPY", 500, 500),
            ("KWD", 1990, 1990),
            ("ISK", 5, 500),
            ("UGX", 7, 700),
            ("MGA", 900, 9),
        ] {
            let money = Money::new(minor, code.parse().unwrap());
            assert_eq!(sent(money), Some(stripes), "{code}");
            assert_eq!(received(stripes, &code.to_lowercase()), Some(minor), "{code}");
        }
        let sent = |amount, code: &str| sent(Money::new(amount, code.parse().unwrap()));
        assert_eq!((sent(1995, "KWD"), sent(950, "MGA"), sent(i64::MAX, "ISK")), (None, None, None));
        assert_eq!((received(550, "isk"), received(550, "xxx")), (None, Some(550)));
        assert_eq!((disputed(550, "isk"), disputed(500, "isk"), disputed(1999, "usd")), (Some(6), Some(5), Some(1999)));
    }
}
