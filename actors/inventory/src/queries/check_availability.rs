//! Whether quantities of variants are available now. Nothing is reserved: only an order reserves units.

use std::collections::BTreeMap;

use contract::{Detail, Fields};
use futures::future::try_join;

use runtime::{Answer, Context, QueryResult};
use subjects::{
    VariantId,
    inventory::{Availabilities, Availability, CheckAvailability, InventoryError, MAX_CHECKED, MAX_UNITS, Units},
};
use uuid::Uuid;

use crate::{Inventory, machine::account::sum, offers, store};

impl Answer<CheckAvailability> for Inventory {
    async fn answer(&self, cx: &Context, query: &CheckAvailability) -> QueryResult<Availabilities, InventoryError> {
        validate(&query.items)?;
        let variants: Vec<_> = query.items.iter().map(|line| line.variant_id.0).collect();
        let requested = query.items.iter().map(|line| line.variant_id).collect();
        let (mut available, for_sale) =
            try_join(store::available(cx.reads(), &variants), offers::for_sale(cx, requested)).await?;
        available.retain(|variant, _| for_sale.contains(&VariantId(*variant)));
        Ok(Availabilities { data: judge(&query.items, &available) })
    }
}

fn validate(items: &[Units]) -> Result<(), InventoryError> {
    let mut fields = Fields::default();
    if items.is_empty() || items.len() > MAX_CHECKED {
        fields.wrong(Detail::count("items", 1, MAX_CHECKED));
    }
    for (index, line) in items.iter().enumerate().take(MAX_CHECKED) {
        fields.range(&format!("items[{index}].quantity"), line.quantity, 1..=MAX_UNITS);
    }
    fields.finish().map_err(|fields| InventoryError::InvalidItems { fields })
}

/// Lines of the same variant are summed: they are available only if there is enough for all of them.
fn judge(items: &[Units], available: &BTreeMap<Uuid, i64>) -> Vec<Availability> {
    let wanted = sum(items.iter().map(|line| (line.variant_id, line.quantity)));
    let judge = |line: &Units| {
        let available = available.get(&line.variant_id.0).copied().unwrap_or(0);
        let is_available = wanted.get(&line.variant_id.0).is_some_and(|wanted| *wanted <= available);
        Availability { variant_id: line.variant_id, available, requested: line.quantity, is_available }
    };
    items.iter().map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(variant: u128, quantity: i64) -> Units {
        Units { variant_id: VariantId(Uuid::from_u128(variant)), quantity }
    }

    #[test]
    fn a_wrong_line_is_named_by_its_path() {
        let Err(InventoryError::InvalidItems { fields }) = validate(&[line(1, 1), line(2, 0)]) else {
            panic!("accepted")
        };
        assert_eq!(fields[0].field, "items[1].quantity");
        assert!(validate(&[]).is_err());
        assert!(validate(&vec![line(1, 1); MAX_CHECKED + 1]).is_err());
        assert!(validate(&vec![line(1, MAX_UNITS); MAX_CHECKED]).is_ok());
    }

    #[test]
    fn the_answer_keeps_the_order_and_judges_lines_of_a_variant_together() {
        let stock = BTreeMap::from([(Uuid::from_u128(1), 5)]);
        let answers: Vec<_> = judge(&[line(2, 1), line(1, 3), line(1, 3)], &stock)
            .iter()
            .map(|answer| (answer.available, answer.requested, answer.is_available))
            .collect();
        assert_eq!(answers, [(0, 1, false), (5, 3, false), (5, 3, false)]);
        assert!(judge(&[line(1, 5)], &stock)[0].is_available);
    }
}
