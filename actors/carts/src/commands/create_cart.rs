//! Creates a guest's cart.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx, secret_digest};
use subjects::{
    CartId,
    carts::{CartsError, CreateCart, NewCart},
};

use crate::{Carts, basket::Basket, owner::Owner, store};

/// Not idempotent: a retry creates a second cart. The caller holds the token of one; the other is never opened.
impl Handle<CreateCart> for Carts {
    async fn handle(&self, tx: &mut Tx<'_>, _: &CommandEnvelope<CreateCart>) -> HandlerResult<NewCart, CartsError> {
        let (id, token) = (CartId::new(), new_token());
        let (owner, now) = (Owner::Guest(secret_digest(&token)), tx.now());
        store::insert_cart(tx.writes(), &Basket::empty(id), owner, now).await?;
        Ok(NewCart { id, token })
    }
}

/// A secret that cannot be guessed; its prefix identifies it to readers and secret scanners.
fn new_token() -> String {
    format!("cart_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_fit_into_a_header_and_differ() {
        let (one, other) = (new_token(), new_token());
        assert_ne!(one, other);
        assert!(one.starts_with("cart_") && one.len() == 48);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    }
}
