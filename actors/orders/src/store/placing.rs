//! Inserts new orders, a batch per statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use runtime::{Breakage, Reads, Writes, columns};
use sqlx::types::Json;
use subjects::{Address, CartId, OrderId};
use uuid::Uuid;

/// The row of a new order.
#[derive(Debug)]
pub(crate) struct NewRow<'a> {
    pub id: Uuid,
    pub order_number: &'a str,
    pub user_id: Option<Uuid>,
    pub guest_digest: Option<Uuid>,
    pub email: Option<&'a str>,
    pub cart_id: Option<Uuid>,
    pub payment_status: &'static str,
    pub currency: &'a str,
    /// Also stored as the total, until pricing exists.
    pub subtotal: i64,
    pub shipping_address: &'a Address,
    pub billing_address: Option<&'a Address>,
    pub notes: Option<&'a str>,
    pub payment_method: Option<&'a str>,
}

/// The row of a new order's line.
#[derive(Debug)]
pub(crate) struct NewItem<'a> {
    pub order_id: Uuid,
    pub position: i32,
    pub id: Uuid,
    pub product_id: Uuid,
    pub variant_id: Uuid,
    pub seller_id: Uuid,
    pub sku: &'a str,
    pub item_name: &'a str,
    pub quantity: i64,
    pub unit_price: i64,
    pub total_price: i64,
}

/// The claim of an order on the cart it is made from.
#[derive(Debug)]
pub(crate) struct CartClaim<'a> {
    pub cart_id: Uuid,
    pub order_id: Uuid,
    pub order_number: &'a str,
    pub cart_version: i64,
}

/// Claims carts for their orders, and returns the carts that were claimed: those without an undecided order, and whose
/// last confirmed order was made from an older version of the cart, so that a late repeat of a request does not order
/// the same cart twice. `claims` are sorted by cart, one per cart.
pub(crate) async fn claim_carts(db: Writes<'_>, claims: &[CartClaim<'_>]) -> Result<Vec<CartId>, Breakage> {
    let sql = "insert into cart_checkout as held (cart_id, order_id, order_number, cart_version, state)
         select cart_id, order_id, order_number, cart_version, 'open'
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
              as claim (cart_id, order_id, order_number, cart_version)
         order by cart_id
         on conflict (cart_id) do update
             set order_id = excluded.order_id, order_number = excluded.order_number,
                 cart_version = excluded.cart_version, state = 'open'
             where held.state = 'confirmed' and held.cart_version < excluded.cart_version
         returning cart_id";
    let query = columns!(sqlx::query_scalar(sql), claims, c; c.cart_id, c.order_id, c.order_number, c.cart_version);
    Ok(query.fetch_all(db).await?)
}

/// The orders that have claimed these carts.
pub(crate) async fn checkouts(
    db: Reads<'_>,
    carts: &[CartId],
) -> Result<BTreeMap<CartId, (OrderId, String)>, Breakage> {
    let sql = "select cart_id, order_id, order_number from cart_checkout where cart_id = any($1)";
    let held: Vec<(CartId, OrderId, String)> = sqlx::query_as(sql).bind(carts).fetch_all(db).await?;
    Ok(held.into_iter().map(|(cart, order, number)| (cart, (order, number))).collect())
}

/// Inserts new orders at version 1.
pub(crate) async fn insert_orders(
    db: Writes<'_>,
    orders: &[NewRow<'_>],
    now: DateTime<Utc>,
    payment_deadline: DateTime<Utc>,
) -> Result<(), Breakage> {
    let sql = "insert into orders (id, order_number, user_id, guest_digest, email, cart_id, payment_status, currency, subtotal,
             total_amount, shipping_address, billing_address, notes, payment_method, payment_deadline, version,
             created_at, updated_at)
         select id, order_number, user_id, guest_digest, email, cart_id, payment_status, currency, subtotal,
             subtotal, shipping_address, billing_address, notes, payment_method, $14::timestamptz, 1, $15::timestamptz, $15::timestamptz
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[],
                  $9::bigint[], $10::jsonb[], $11::jsonb[], $12::text[], $13::text[])
              as placed (id, order_number, user_id, guest_digest, email, cart_id, payment_status, currency, subtotal,
                  shipping_address, billing_address, notes, payment_method)
         order by id";
    let query = columns!(sqlx::query(sql), orders, o;
        o.id, o.order_number, o.user_id, o.guest_digest, o.email, o.cart_id, o.payment_status, o.currency,
        o.subtotal, Json(o.shipping_address), o.billing_address.map(Json), o.notes, o.payment_method);
    query.bind(payment_deadline).bind(now).execute(db).await?;
    Ok(())
}

/// Inserts the lines of new orders.
pub(crate) async fn insert_items(db: Writes<'_>, items: &[NewItem<'_>], now: DateTime<Utc>) -> Result<(), Breakage> {
    let sql = "insert into order_items (order_id, position, id, product_id, variant_id, seller_id, sku, item_name, quantity,
             unit_price, total_price, created_at)
         select *, $12::timestamptz from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
             $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])";
    let query = columns!(sqlx::query(sql), items, i;
        i.order_id, i.position, i.id, i.product_id, i.variant_id, i.seller_id, i.sku, i.item_name, i.quantity,
        i.unit_price, i.total_price);
    query.bind(now).execute(db).await?;
    Ok(())
}
