//! The caller's cart.

use poem_openapi::{Object, OpenApi, param::Path};
use serde::Deserialize;
use subjects::{
    ItemId,
    carts::{
        AddItem, Cart, CartItemChanges, ChangeItem, ClearCart, CreateCart, GetCart, NewCart, NewCartItem, RemoveItem,
    },
};

use crate::http::{
    body::{Body, OptionalBody},
    caller::Caller,
    error::ApiError,
    header::{IfMatch, IfNoneMatch, Key},
    reply::{Answer, Fresh, Reply},
    tag::{BASE, Tag},
};

/// An empty object.
#[derive(Object, Deserialize)]
struct Nothing {}

/// The routes of carts.
pub(crate) struct CartsApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Carts")]
impl CartsApi {
    /// Create a guest cart
    ///
    /// Customers need none: their first added item creates it. The token is sent in `X-Cart-Token`.
    #[oai(path = "/carts", method = "post", operation_id = "create_cart")]
    async fn create_cart(&self, caller: Caller<CreateCart>, body: OptionalBody<Nothing>) -> Answer<NewCart, 201> {
        let Nothing {} = body.0;
        let cart = caller.send(&CreateCart {}, None).await?.reply;
        Ok(Reply::new(&cart)?.at(&format!("{BASE}/cart")))
    }

    /// Get the cart, with current prices and availability
    #[oai(path = "/cart", method = "get", operation_id = "get_cart")]
    async fn get_cart(
        &self,
        caller: Caller<GetCart>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<Cart>, ApiError> {
        let cart = caller.ask(&GetCart {}).await?;
        Ok(Reply::versioned(&cart)?.unless(&known))
    }

    /// Clear the cart
    #[oai(path = "/cart", method = "delete", operation_id = "clear_cart")]
    async fn clear_cart(
        &self,
        caller: Caller<ClearCart>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
    ) -> Answer<Cart> {
        let command = ClearCart { expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Add an item to the cart
    #[oai(path = "/cart/items", method = "post", operation_id = "add_item")]
    async fn add_item(
        &self,
        caller: Caller<AddItem>,
        #[oai(name = "Idempotency-Key")] key: Key,
        body: Body<NewCartItem>,
    ) -> Answer<Cart> {
        let answer = caller.send(&AddItem { item: body.0 }, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Update the quantity of an item
    #[oai(path = "/cart/items/:id", method = "patch", operation_id = "change_item")]
    async fn change_item(
        &self,
        caller: Caller<ChangeItem>,
        id: Path<ItemId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<CartItemChanges>,
    ) -> Answer<Cart> {
        let command = ChangeItem { item_id: id.0, changes: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Remove an item from the cart
    #[oai(path = "/cart/items/:id", method = "delete", operation_id = "remove_item")]
    async fn remove_item(
        &self,
        caller: Caller<RemoveItem>,
        id: Path<ItemId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
    ) -> Answer<Cart> {
        let command = RemoveItem { item_id: id.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }
}
