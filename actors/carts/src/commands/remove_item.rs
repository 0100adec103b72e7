//! Removes a line from the caller's cart.

use runtime::{CommandEnvelope, Context, HandleBatch, HandlerResult, InternalError, Prepare, PrepareError, Tx};
use subjects::carts::{Cart, CartsError, RemoveItem};

use crate::{
    Carts,
    basket::{Basket, uncountable},
    commands::changing::change,
    quotes::Quotes,
};

impl Prepare<RemoveItem> for Carts {
    type Prepared = Quotes;

    /// Quotes the remaining lines.
    async fn prepare(&self, cx: &Context, command: &RemoveItem) -> Result<Quotes, PrepareError<CartsError>> {
        let basket = Basket::read(cx).await?;
        Ok(Quotes::of(cx, &basket.without(command.item_id.0)).await?)
    }
}

impl HandleBatch<RemoveItem, Quotes> for Carts {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<RemoveItem, Quotes>],
    ) -> Result<Vec<HandlerResult<Cart, CartsError>>, InternalError> {
        change(tx, commands, |basket, command| {
            basket.expect(command.message.expected_version)?;
            let line = basket.line(command.message.item_id)?.id;
            let after = basket.without(line).accepting(&command.prepared);
            let shown = after.show(&command.prepared).map_err(uncountable)?;
            Ok((after, shown))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::basket::tests::basket;

    #[test]
    fn the_other_lines_stay() {
        let after = basket([1, 2, 3]).without(Uuid::from_u128(2));
        let left: Vec<_> = after.lines.iter().map(|line| line.variant_id.as_u128()).collect();
        assert_eq!((after.version, left), (6, vec![1, 3]));
    }
}
