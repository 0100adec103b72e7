//! The contents of a cart, for orders.

use runtime::{Answer, Context, QueryResult};
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
    async fn answer(&self, cx: &Context, query: &GetContents) -> QueryResult<Contents, CartsError> {
        let owner = owner(query)?;
        let basket = store::basket(cx.reads(), owner).await?.ok_or(CartsError::CartNotFound)?;
        Ok(contents(&basket))
    }
}

/// An account takes precedence over a token, as in the gateway.
fn owner(query: &GetContents) -> Result<Owner, CartsError> {
    match (query.user_id, query.guest) {
        (Some(user), _) => Ok(Owner::Customer(user)),
        (None, Some(digest)) => Ok(Owner::Guest(digest)),
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
        let guest = Uuid::from_u128(2);
        let query = |user_id, guest| owner(&GetContents { user_id, guest });
        assert_eq!(query(Some(user), Some(guest)), Ok(Owner::Customer(user)));
        assert_eq!(query(None, Some(guest)), Ok(Owner::Guest(guest)));
        assert_eq!(query(None, None), Err(CartsError::CartNotFound));
    }

    #[test]
    fn contents_are_the_lines_without_prices() {
        let contents = contents(&basket([1, 2]));
        assert_eq!((contents.version, contents.items.len(), contents.items[0].quantity), (5, 2, 1));
    }
}
