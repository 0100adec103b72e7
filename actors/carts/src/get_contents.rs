//! What is in somebody's cart, for orders.

use runtime::{Answer, Context, Handled, secret_digest};
use subjects::{
    VariantId,
    carts::{CartsError, Contents, GetContents},
    inventory::Units,
};

use crate::{
    Carts,
    basket::{Basket, Line},
    owner::Owner,
    store,
};

impl Answer<GetContents> for Carts {
    async fn answer(&self, cx: &Context, query: &GetContents) -> Handled<Contents, CartsError> {
        let owner = owner(query)?;
        let basket = store::basket(cx.db(), owner).await?.ok_or(CartsError::CartNotFound)?;
        Ok(contents(&basket))
    }
}

/// An account comes before a token, as at the door.
fn owner(query: &GetContents) -> Result<Owner, CartsError> {
    match (query.user_id, &query.cart_token) {
        (Some(user), _) => Ok(Owner::Customer(user)),
        (None, Some(token)) => Ok(Owner::Guest(secret_digest(token))),
        (None, None) => Err(CartsError::CartNotFound),
    }
}

fn contents(basket: &Basket) -> Contents {
    let units = |line: &Line| Units { variant_id: VariantId(line.variant_id), quantity: line.quantity };
    Contents { cart_id: basket.id, version: basket.version, items: basket.lines.iter().map(units).collect() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::basket::tests::basket;

    #[test]
    fn an_account_comes_before_a_token() {
        let user = Uuid::from_u128(1);
        let token = Some("cart_x".to_owned());
        let query = |user_id, cart_token: &Option<String>| GetContents { user_id, cart_token: cart_token.clone() };
        assert_eq!(owner(&query(Some(user), &token)), Ok(Owner::Customer(user)));
        assert_eq!(owner(&query(None, &token)), Ok(Owner::Guest(secret_digest("cart_x"))));
        assert_eq!(owner(&query(None, &None)), Err(CartsError::CartNotFound));
    }

    #[test]
    fn contents_are_the_lines_without_prices() {
        let contents = contents(&basket([1, 2]));
        assert_eq!((contents.version, contents.items.len(), contents.items[0].quantity), (5, 2, 1));
    }
}
