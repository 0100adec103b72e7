//! Empties the caller's cart.

use runtime::{CommandEnvelope, HandleBatch, HandlerResult, InternalError, Tx};
use subjects::carts::{Cart, CartsError, ClearCart};

use crate::{Carts, basket::uncountable, commands::changing::change, quotes::Quotes};

impl HandleBatch<ClearCart> for Carts {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<ClearCart>],
    ) -> Result<Vec<HandlerResult<Cart, CartsError>>, InternalError> {
        change(tx, commands, |basket, command| {
            basket.expect(command.message.expected_version)?;
            let after = if basket.lines.is_empty() { basket.clone() } else { basket.cleared() };
            let shown = after.show(&Quotes::default()).map_err(uncountable)?;
            Ok((after, shown))
        })
        .await
    }
}
