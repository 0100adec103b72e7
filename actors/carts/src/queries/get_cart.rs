//! The caller's cart, with current prices and stock.

use std::collections::BTreeSet;

use runtime::{AnswerBatch, Context, InternalError, QueryEnvelope, QueryResult, Reads};
use subjects::carts::{Cart, CartsError, GetCart};

use crate::{
    Carts,
    basket::{Basket, uncountable},
    estimate::estimated,
    owner::Owner,
    quotes::Quotes,
    store,
};

impl AnswerBatch<GetCart> for Carts {
    type Loaded = Option<Basket>;

    async fn load(
        &self,
        db: Reads<'_>,
        queries: &[&QueryEnvelope<GetCart>],
    ) -> Result<Vec<Option<Basket>>, InternalError> {
        let owners: Vec<_> = queries.iter().map(|query| Owner::of(&query.caller).ok()).collect();
        let baskets = store::baskets(db, &owners.iter().flatten().copied().collect::<BTreeSet<_>>()).await?;
        Ok(owners.into_iter().map(|owner| baskets.get(&owner?).cloned()).collect())
    }

    async fn answer(&self, cx: &Context, _: &GetCart, basket: Option<Basket>) -> QueryResult<Cart, CartsError> {
        let basket = Basket::of(basket, Owner::of(cx.caller())?)?;
        let quotes = Quotes::of(cx, &basket).await?;
        Ok(estimated(cx, basket.show(&quotes).map_err(uncountable)?, &quotes).await?)
    }
}
