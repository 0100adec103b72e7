//! Removes ordered units from the cart that the order was placed from.

use std::collections::BTreeMap;

use runtime::{EventEnvelope, InternalError, React, Tx};
use subjects::orders::Confirmed;
use uuid::Uuid;

use crate::{Carts, store};

/// Units by cart and variant.
type Ordered = BTreeMap<(Uuid, Uuid), i64>;

/// Units added after the order was placed stay. An order without a cart changes none.
impl React for Carts {
    type Input = EventEnvelope<Confirmed>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Confirmed>]) -> Result<(), InternalError> {
        let ordered = ordered(inputs.iter().map(|event| &event.message));
        if ordered.is_empty() {
            return Ok(());
        }
        let now = tx.now();
        store::drop_ordered(tx.writes(), &ordered, now).await
    }
}

/// The ordered units, summed: an order may name a variant twice, and a batch may hold two orders of a cart.
fn ordered<'a>(orders: impl Iterator<Item = &'a Confirmed>) -> Ordered {
    let mut ordered = Ordered::new();
    for order in orders {
        let Some(cart) = order.cart_id else { continue };
        for line in order.items.iter().filter(|line| line.quantity > 0) {
            let units = ordered.entry((cart.0, line.variant_id.0)).or_default();
            *units = units.saturating_add(line.quantity);
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use subjects::{CartId, Currency, Money, OrderId, VariantId, inventory::Units};

    use super::*;

    #[test]
    fn units_are_summed_by_cart_and_variant() {
        let id = Uuid::from_u128;
        let order = |cart: Option<u128>, lines: &[(u128, i64)]| Confirmed {
            order_id: OrderId::new(),
            order_number: "1".into(),
            user_id: None,
            cart_id: cart.map(|cart| CartId(id(cart))),
            items: lines
                .iter()
                .map(|(v, quantity)| Units { variant_id: VariantId(id(*v)), quantity: *quantity })
                .collect(),
            total: Money::zero(Currency::USD),
        };
        let orders = [order(Some(1), &[(7, 2), (7, 1)]), order(None, &[(7, 9)]), order(Some(1), &[(7, 1), (8, 4)])];
        assert_eq!(ordered(orders.iter()), Ordered::from([((id(1), id(7)), 4), ((id(1), id(8)), 4)]));
    }
}
