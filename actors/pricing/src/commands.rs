//! The commands of the domain, one file per kind of rule: creation, change and deletion, with their decisions.

mod promotions;
mod shipping_zones;
mod tax_rates;

/// Whether a rule has the version that the caller expects.
fn is_expected(version: i64, expected: Option<i64>) -> bool {
    expected.is_none_or(|expected| expected == version)
}
