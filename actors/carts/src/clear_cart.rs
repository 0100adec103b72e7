//! Empties the caller's cart.

use runtime::{Commanded, Handle, Handled, Tx};
use subjects::carts::{Cart, CartsError, ClearCart};

use crate::{
    Carts,
    basket::{Basket, uncountable},
    owner::Owner,
    quotes::Quotes,
    store,
};

impl Handle<ClearCart> for Carts {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<ClearCart>) -> Handled<Cart, CartsError> {
        let owner = Owner::of(&command.caller)?;
        let basket = Basket::of(store::lock_one(tx.read(), owner).await?, owner)?;
        basket.expect(command.message.expected_version)?;
        if basket.lines.is_empty() {
            return Ok(basket.show(&Quotes::default()).map_err(uncountable)?);
        }
        let (after, now) = (basket.cleared(), tx.now());
        store::delete_lines(tx.write(), after.id).await?;
        store::update_carts(tx.write(), &[&after], now).await?;
        Ok(after.show(&Quotes::default()).map_err(uncountable)?)
    }
}
