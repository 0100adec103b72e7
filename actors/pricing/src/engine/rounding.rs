//! How amounts are rounded and divided. Amounts and rates are never negative here.
//!
//! - A part of an amount is rounded to the nearest minor unit, a half upwards.
//! - An amount that is divided among lines (or tax rates) is divided by largest remainder: each gets its exact share
//!   rounded down, and the units that are left go one each to the largest fractions, of equal ones to the first. The
//!   shares sum to the amount, and no share exceeds its line if the amount does not exceed the sum of the lines.

/// `amount * numerator / denominator`, rounded to the nearest unit. Saturates, which no accepted amount reaches.
pub(super) fn part(amount: i64, numerator: i64, denominator: i64) -> i64 {
    let denominator = i128::from(denominator.max(1));
    let doubled = 2 * i128::from(amount) * i128::from(numerator) + denominator;
    i64::try_from(doubled / (2 * denominator)).unwrap_or(i64::MAX)
}

/// Divides an amount in proportion to weights. Without any weight nothing is divided.
pub(super) fn divide(amount: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().copied().map(i128::from).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: &i64| i128::from(amount) * i128::from(*weight);
    let mut shares: Vec<i64> =
        weights.iter().map(|weight| i64::try_from(exact(weight) / sum).unwrap_or(i64::MAX)).collect();
    let left = amount.saturating_sub(shares.iter().sum());
    let mut by_fraction: Vec<usize> = (0..weights.len()).collect();
    // A stable sort keeps the order of equal fractions.
    by_fraction.sort_by_key(|&place| std::cmp::Reverse(exact(&weights[place]) % sum));
    for &place in by_fraction.iter().take(usize::try_from(left).unwrap_or(0)) {
        shares[place] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_rounded_to_the_nearest_unit_and_a_half_upwards() {
        assert_eq!([part(149, 1, 100), part(150, 1, 100), part(250, 1, 100), part(0, 1, 3)], [1, 2, 3, 0]);
        assert_eq!(part(10_000, 88_750, 1_000_000), 888, "887.5");
        assert_eq!(part(subjects::Money::MAX_AMOUNT, 1_000_000, 1_000_000), subjects::Money::MAX_AMOUNT);
    }

    #[test]
    fn units_that_are_left_go_to_the_largest_fractions_and_then_to_the_first() {
        assert_eq!(divide(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(divide(2, &[1, 1, 1]), [1, 1, 0]);
        assert_eq!(divide(10, &[15, 35]), [3, 7], "3.0 and 7.0");
        assert_eq!(divide(5, &[15, 35, 50]), [1, 2, 2], "0.75, 1.75 and 2.5");
        assert_eq!(divide(7, &[0, 3, 0]), [0, 7, 0]);
        assert_eq!(divide(7, &[0, 0]), [0, 0]);
        assert_eq!(divide(7, &[]), Vec::<i64>::new());
        let most = subjects::Money::MAX_AMOUNT;
        assert_eq!(divide(most, &[most, most]), [most / 2 + 1, most / 2]);
    }
}
