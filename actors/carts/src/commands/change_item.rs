//! Changes the quantity of a line of the caller's cart.

use runtime::{CommandEnvelope, Context, HandleBatch, HandlerResult, InternalError, Prepare, PrepareError, Tx};
use subjects::{
    ItemId,
    carts::{Cart, CartsError, ChangeItem},
};

use crate::{
    Carts,
    basket::{Basket, Line, accepted, too_much},
    commands::{add_item::quantity_in_range, changing::change},
    quotes::Quotes,
};

impl Prepare<ChangeItem> for Carts {
    type Prepared = Quotes;

    /// Quotes all lines. The changed one is among them: its client learned the line's id after the line was stored.
    async fn prepare(&self, cx: &Context, command: &ChangeItem) -> Result<Quotes, PrepareError<CartsError>> {
        quantity_in_range(command.changes.quantity)?;
        Ok(Quotes::of(cx, &Basket::read(cx).await?).await?)
    }
}

impl HandleBatch<ChangeItem, Quotes> for Carts {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<ChangeItem, Quotes>],
    ) -> Result<Vec<HandlerResult<Cart, CartsError>>, InternalError> {
        change(tx, commands, |basket, command| {
            let (message, quotes) = (&command.message, &command.prepared);
            basket.expect(message.expected_version)?;
            let line = decide(basket, message.item_id, message.changes.quantity, quotes)?;
            let after = basket.with(&line).accepting(quotes);
            let shown = after.show(quotes).and_then(accepted).map_err(too_much)?;
            Ok((after, shown))
        })
        .await
    }
}

/// The line after the change. A line that cannot be bought can only be removed.
fn decide(basket: &Basket, item: ItemId, quantity: i64, quotes: &Quotes) -> Result<Line, CartsError> {
    let line = basket.line(item)?;
    let offer = quotes.for_sale(line.variant_id).ok_or(CartsError::NotForSale)?;
    if offer.price.currency != basket.currency {
        return Err(CartsError::CurrencyMismatch);
    }
    let available = quotes.available(line.variant_id);
    if quantity > available {
        return Err(CartsError::OutOfStock { available });
    }
    Ok(Line::of(line.id, offer, quantity))
}

#[cfg(test)]
mod tests {
    use subjects::Currency;
    use uuid::Uuid;

    use super::*;
    use crate::basket::tests::{basket, offer, quotes};

    fn item(number: u128) -> ItemId {
        ItemId(Uuid::from_u128(number))
    }

    #[test]
    fn the_line_keeps_its_place_and_takes_the_price_of_now() {
        let basket = basket([1, 2]);
        let line = decide(&basket, item(1), 4, &quotes(&[(1, 90, 4), (2, 100, 4)])).unwrap();
        let after = basket.with(&line);
        assert_eq!((after.version, after.lines[0].quantity, after.lines[0].unit_amount), (6, 4, 90));
    }

    #[test]
    fn a_quantity_above_the_stock_is_rejected() {
        let basket = basket([1]);
        let by = |quotes: &Quotes| decide(&basket, item(1), 4, quotes).unwrap_err();
        assert_eq!(by(&quotes(&[(1, 100, 3)])), CartsError::OutOfStock { available: 3 });
        assert_eq!(by(&Quotes::default()), CartsError::NotForSale);
        let mut euros = Quotes::default();
        euros.add(offer(1, 100, Currency::EUR), 9);
        assert_eq!(by(&euros), CartsError::CurrencyMismatch);
        assert_eq!(decide(&basket, item(9), 1, &euros).unwrap_err(), CartsError::ItemNotFound);
    }
}
