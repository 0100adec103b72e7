//! The caller's cart, with the prices and the stock of now.

use runtime::{Answer, Context, Handled};
use subjects::carts::{Cart, CartsError, GetCart};

use crate::{
    Carts,
    basket::{Basket, uncountable},
    owner::Owner,
    quotes::Quotes,
    store,
};

impl Answer<GetCart> for Carts {
    async fn answer(&self, cx: &Context, _: &GetCart) -> Handled<Cart, CartsError> {
        let owner = Owner::of(cx.caller())?;
        let basket = Basket::of(store::basket(cx.db(), owner).await?, owner)?;
        let quotes = Quotes::of(cx, &basket).await?;
        Ok(basket.show(&quotes).map_err(uncountable)?)
    }
}
