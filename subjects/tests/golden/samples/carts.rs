use subjects::{
    Currency,
    carts::{
        AddItem, Cart, CartItem, CartItemChanges, CartsError, ChangeItem, ClearCart, Contents, CreateCart, DOMAIN,
        GetCart, GetContents, LineProblem, NewCart, NewCartItem, RemoveItem, Totals,
    },
};

use super::{
    buyer_id, cart_id, fields,
    inventory::units,
    item_id,
    pricing::{discount, estimate},
    product_id, usd, variant_id,
};
use crate::goldens::Goldens;

pub fn totals() -> Totals {
    Totals { subtotal: usd(9998), discount: usd(500), shipping: usd(700), tax: usd(950), total: usd(11_148) }
}

fn cart() -> Cart {
    let item = CartItem {
        id: item_id(),
        product_id: product_id(),
        variant_id: variant_id(),
        sku: "SHIRT-M-BLUE".into(),
        name: "Linen shirt, M, blue".into(),
        quantity: 2,
        unit_price: usd(4999),
        line_total: usd(9998),
        available: 10,
        problem: Some(LineProblem::PriceChanged),
    };
    let (totals, discounts) = (estimate(), vec![discount()]);
    Cart { id: cart_id(), currency: Currency::USD, items: vec![item], totals, discounts, version: 7 }
}

pub fn add(goldens: &mut Goldens) {
    goldens.command(&CreateCart {}, &NewCart { id: cart_id(), token: "cart_token".into() });
    goldens.query(&GetCart {}, &cart());
    goldens.command(&ClearCart { expected_version: Some(6) }, &cart());
    let item = NewCartItem { variant_id: Some(variant_id()), product_id: Some(product_id()), quantity: 2 };
    goldens.command(&AddItem { item }, &cart());
    let changes = CartItemChanges { quantity: 2 };
    let change = ChangeItem { item_id: item_id(), changes, expected_version: Some(6) };
    goldens.command(&change, &cart());
    goldens.command(&RemoveItem { item_id: item_id(), expected_version: Some(6) }, &cart());
    let contents = Contents { cart_id: cart_id(), version: 7, items: units() };
    goldens.query(&GetContents { user_id: Some(buyer_id().0), guest: Some(uuid::Uuid::from_u128(0x6e57)) }, &contents);

    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<CartsError> {
    vec![
        CartsError::CartNotFound,
        CartsError::ItemNotFound,
        CartsError::NotForSale,
        CartsError::VariantRequired,
        CartsError::InvalidItem { fields: fields() },
        CartsError::CartFull,
        CartsError::OutOfStock { available: 3 },
        CartsError::CurrencyMismatch,
        CartsError::CartVersionMismatch,
    ]
}
