//! Inserts new orders, a batch per statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use runtime::{InternalError, LastWrites, Reads, Writes, columns};
use sqlx::types::Json;
use subjects::{
    CartId, OrderId,
    orders::{Order, OrderItem},
};

use crate::commands::place::{CartUse, Draft};

/// Claims carts for their orders, and returns the carts that were claimed: those without an undecided order, and whose
/// last confirmed order was made from an older version of the cart, so that a late repeat of a request does not order
/// the same cart twice. `claims` are sorted by cart, one per cart.
pub(crate) async fn claim_carts(db: Writes<'_>, claims: &[(&CartUse, &Order)]) -> Result<Vec<CartId>, InternalError> {
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
    let query = columns!(sqlx::query_scalar(sql), claims, claim;
        claim.0.cart_id, claim.1.id, claim.1.order_number.as_str(), claim.0.version);
    Ok(query.fetch_all(db).await?)
}

/// The orders that have claimed these carts.
pub(crate) async fn checkouts(
    db: Reads<'_>,
    carts: &[CartId],
) -> Result<BTreeMap<CartId, (OrderId, String)>, InternalError> {
    let sql = "select cart_id, order_id, order_number from cart_checkout where cart_id = any($1)";
    let held: Vec<(CartId, OrderId, String)> = sqlx::query_as(sql).bind(carts).fetch_all(db).await?;
    Ok(held.into_iter().map(|(cart, order, number)| (cart, (order, number))).collect())
}

/// Inserts new orders at version 1.
pub(crate) fn insert_orders(
    mut db: LastWrites<'_>,
    drafts: &[&Draft<'_>],
    now: DateTime<Utc>,
    payment_deadline: DateTime<Utc>,
) {
    let sql = "insert into orders (id, order_number, user_id, guest_digest, email, cart_id, payment_status, currency,
             subtotal, discount_amount, shipping_amount, tax_amount, total_amount, tax_lines, discounts,
             shipping_method, pricing_rules, shipping_address, billing_address, notes, payment_method,
             payment_deadline, version, created_at, updated_at)
         select placed.*, $22::timestamptz, 1, $23::timestamptz, $23::timestamptz
         from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::text[],
                  $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::jsonb[], $15::jsonb[],
                  $16::jsonb[], $17::jsonb[], $18::jsonb[], $19::jsonb[], $20::text[], $21::text[])
              as placed (id, order_number, user_id, guest_digest, email, cart_id, payment_status, currency, subtotal,
                  discount, shipping, tax, total, tax_lines, discounts, shipping_method, pricing_rules,
                  shipping_address, billing_address, notes, payment_method)
         order by id";
    let query = columns!(db.write(sql), drafts, draft;
        draft.order.id, draft.order.order_number.as_str(), draft.user_id(), draft.guest(), draft.new.email.as_deref(),
        draft.cart_id(), draft.order.payment_status, draft.order.currency, draft.order.totals.subtotal.amount,
        draft.order.totals.discount.amount, draft.order.totals.shipping.amount, draft.order.totals.tax.amount,
        draft.order.totals.total.amount, Json(&draft.order.tax_lines), Json(&draft.order.discounts),
        draft.order.shipping_method.as_ref().map(Json), Json(draft.rules()), Json(&draft.order.shipping_address),
        draft.order.billing_address.as_ref().map(Json), draft.order.notes.as_deref(),
        draft.new.payment.as_ref().map(|payment| payment.method.as_str()));
    query.bind(payment_deadline).bind(now);
}

/// Inserts the lines of new orders.
pub(crate) fn insert_items(mut db: LastWrites<'_>, drafts: &[&Draft<'_>], now: DateTime<Utc>) {
    let mut items: Vec<(OrderId, i32, &OrderItem, i64)> = Vec::new();
    for draft in drafts {
        let lines = draft.order.items.iter().zip(draft.paid());
        items.extend((0..).zip(lines).map(|(position, (item, paid))| (draft.order.id, position, item, paid)));
    }
    let sql = "insert into order_items (order_id, position, id, product_id, variant_id, seller_id, sku, item_name,
             quantity, unit_price, total_price, paid_amount, created_at)
         select *, $13::timestamptz from unnest($1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::uuid[],
             $6::uuid[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])";
    let query = columns!(db.write(sql), items, row;
        row.0, row.1, row.2.id, row.2.product_id, row.2.variant_id, row.2.seller_id, row.2.sku.as_str(),
        row.2.name.as_str(), row.2.quantity, row.2.unit_price.amount, row.2.line_total.amount, row.3);
    query.bind(now);
}
