//! Keeps what inventory says of each variant. Its events come in any order; the highest version stands.

use std::collections::BTreeMap;

use runtime::{Breakage, Delivered, Project, ReactBatch, Tx};
use subjects::inventory::StockChanged;

use crate::{
    Catalog,
    store::{self, StockRow},
};

/// The newest of each variant, sorted by variant.
fn newest<'a>(events: impl Iterator<Item = (i64, &'a StockChanged)>) -> Vec<StockRow> {
    let mut rows = BTreeMap::new();
    for (version, event) in events {
        let row = StockRow { variant_id: event.variant_id.0, available: event.available, version };
        let newest = rows.entry(row.variant_id).or_insert(row);
        if newest.version < version {
            *newest = row;
        }
    }
    rows.into_values().collect()
}

impl ReactBatch<StockChanged> for Catalog {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<StockChanged>]) -> Result<(), Breakage> {
        let rows = newest(events.iter().map(|event| (event.version, &event.message)));
        let now = tx.now();
        store::write_stock(tx.write(), &rows, now).await
    }
}

impl Project<StockChanged> for Catalog {
    async fn forget(&self, tx: &mut Tx<'_>) -> Result<(), Breakage> {
        store::forget_stock(tx.write()).await
    }
}

#[cfg(test)]
mod tests {
    use subjects::VariantId;
    use uuid::Uuid;

    use super::*;

    fn event(variant: u128, available: i64) -> StockChanged {
        let variant_id = VariantId(Uuid::from_u128(variant));
        StockChanged { variant_id, sku: "A".into(), on_hand: available, reserved: 0, available }
    }

    /// Scenario 4: a projection never waits for a version.
    #[test]
    fn the_highest_version_stands_whatever_the_order() {
        let events = [(2, event(9, 20)), (3, event(9, 30)), (1, event(9, 10)), (7, event(1, 5))];
        let rows = newest(events.iter().map(|(version, event)| (*version, event)));
        let told: Vec<_> = rows.iter().map(|row| (row.variant_id.as_u128(), row.version, row.available)).collect();
        assert_eq!(told, [(1, 7, 5), (9, 3, 30)]);
    }
}
