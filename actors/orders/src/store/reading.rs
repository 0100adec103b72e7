//! Reads orders for replies.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use contract::page::{COUNTED, Moment, Part};
use runtime::{InternalError, Reads};
use serde::Deserialize;
use sqlx::FromRow;
use subjects::{
    Address, Currency, ItemId, Money, OrderId, ProductId, UserId, VariantId,
    carts::Totals,
    inventory::Units,
    orders::{
        Failure, FulfillmentStatus, HistoryEntry, Order, OrderItem, OrderRef, OrderStatus, Payable, PaymentStatus,
    },
    pricing::{Discount, ShippingOption, TaxLine},
};
use uuid::Uuid;

use crate::access::Owner;

macro_rules! order_columns {
    () => {
        "id, order_number, user_id, guest_digest, created_at > now() - interval '30 days' as guest_open,
         status, payment_status, fulfillment_status, currency, subtotal, discount_amount, shipping_amount, tax_amount,
         total_amount, tax_lines, discounts, shipping_method, shipping_address, billing_address, notes, failure_code,
         failure_message, payment_deadline, action_required, version, created_at, updated_at,
         (select json_agg(item order by position) from order_items item where order_id = orders.id) as items"
    };
}

/// An order with all its parts, and its owner.
#[derive(Debug, Clone)]
pub struct Record {
    pub order: Order,
    pub owner: Owner,
    /// Whether the buyer was requested to confirm the charge.
    pub action_required: bool,
}

#[derive(FromRow)]
struct OrderRow {
    id: OrderId,
    order_number: String,
    user_id: Option<Uuid>,
    guest_digest: Option<Uuid>,
    guest_open: bool,
    status: OrderStatus,
    payment_status: PaymentStatus,
    fulfillment_status: FulfillmentStatus,
    currency: Currency,
    subtotal: i64,
    discount_amount: i64,
    shipping_amount: i64,
    tax_amount: i64,
    total_amount: i64,
    #[sqlx(json)]
    tax_lines: Vec<TaxLine>,
    #[sqlx(json)]
    discounts: Vec<Discount>,
    #[sqlx(json(nullable))]
    shipping_method: Option<ShippingOption>,
    #[sqlx(json)]
    shipping_address: Address,
    #[sqlx(json(nullable))]
    billing_address: Option<Address>,
    notes: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    payment_deadline: DateTime<Utc>,
    action_required: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[sqlx(json)]
    items: Vec<ItemRow>,
}

#[derive(Deserialize)]
struct ItemRow {
    id: ItemId,
    product_id: ProductId,
    variant_id: VariantId,
    seller_id: UserId,
    sku: String,
    item_name: String,
    quantity: i64,
    unit_price: i64,
    total_price: i64,
}

impl OrderRow {
    fn read(self) -> Record {
        let money = |amount| Money::new(amount, self.currency);
        let items: Vec<OrderItem> = self
            .items
            .into_iter()
            .map(|item| OrderItem {
                id: item.id,
                product_id: item.product_id,
                variant_id: item.variant_id,
                seller_id: item.seller_id,
                sku: item.sku,
                name: item.item_name,
                quantity: item.quantity,
                unit_price: money(item.unit_price),
                line_total: money(item.total_price),
            })
            .collect();
        let owner = Owner {
            user_id: self.user_id,
            guest: self.guest_digest.filter(|_| self.guest_open),
            sellers: items.iter().map(|item| item.seller_id.0).collect(),
        };
        let order = Order {
            id: self.id,
            order_number: self.order_number,
            status: self.status,
            payment_status: self.payment_status,
            fulfillment_status: self.fulfillment_status,
            items,
            totals: Totals {
                subtotal: money(self.subtotal),
                discount: money(self.discount_amount),
                shipping: money(self.shipping_amount),
                tax: money(self.tax_amount),
                total: money(self.total_amount),
            },
            tax_lines: self.tax_lines,
            discounts: self.discounts,
            shipping_method: self.shipping_method,
            currency: self.currency,
            failure: self.failure_code.zip(self.failure_message).map(|(code, message)| Failure { code, message }),
            payment: None,
            shipping_address: self.shipping_address,
            billing_address: self.billing_address,
            notes: self.notes,
            payment_deadline: self.payment_deadline,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        Record { order, owner, action_required: self.action_required }
    }
}

/// The number of a reference; `None` also for a text that cannot be one: PostgreSQL rejects NUL.
fn number(order: &OrderRef) -> Option<&str> {
    match order {
        OrderRef::Number(text) if text.len() <= 64 && text.is_ascii() && !text.contains('\0') => Some(text),
        OrderRef::Number(_) | OrderRef::Id(_) => None,
    }
}

/// The id of an order. A reference by id is returned as it is, even if there is no such order.
pub(crate) async fn id_of(db: Reads<'_>, order: &OrderRef) -> Result<Option<OrderId>, InternalError> {
    if let OrderRef::Id(id) = order {
        return Ok(Some(*id));
    }
    let Some(number) = number(order) else { return Ok(None) };
    let sql = "select id from orders where order_number = $1";
    Ok(sqlx::query_scalar(sql).bind(number).fetch_optional(db).await?)
}

pub(crate) async fn load(db: Reads<'_>, order: impl Into<OrderRef>) -> Result<Option<Record>, InternalError> {
    Ok(find(db, &[order.into()]).await?.pop().flatten())
}

/// Reads orders by their ids or numbers, in the order of the references.
pub(crate) async fn find(db: Reads<'_>, orders: &[OrderRef]) -> Result<Vec<Option<Record>>, InternalError> {
    let id = |order: &OrderRef| if let OrderRef::Id(id) = order { Some(*id) } else { None };
    let sql = concat!("select ", order_columns!(), " from orders where id = any($1) or order_number = any($2)");
    let rows: Vec<OrderRow> = sqlx::query_as(sql)
        .bind(orders.iter().filter_map(id).collect::<Vec<_>>())
        .bind(orders.iter().filter_map(number).collect::<Vec<_>>())
        .fetch_all(db)
        .await?;
    let records: Vec<_> = rows.into_iter().map(OrderRow::read).collect();
    let by_id: HashMap<_, _> = records.iter().map(|record| (record.order.id, record)).collect();
    let by_number: HashMap<_, _> = records.iter().map(|record| (record.order.order_number.as_str(), record)).collect();
    let found = |order: &OrderRef| match order {
        OrderRef::Id(id) => by_id.get(id),
        OrderRef::Number(number) => by_number.get(number.as_str()),
    };
    Ok(orders.iter().map(|order| found(order).map(|record| (*record).clone())).collect())
}

/// The orders that a list contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Placed by this account.
    Buyer(Uuid),
    /// Placed with this cart token, at most 30 days ago.
    Guest(Uuid),
    /// Placed by this account, or with a line that it sells.
    Seller(Uuid),
}

/// The queries of a scope: newest first, oldest first, and the count.
macro_rules! orders_of {
    ($scope:literal) => {
        [
            page_of!($scope, "<", "desc", "infinity", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            page_of!($scope, ">", "asc", "-infinity", "00000000-0000-0000-0000-000000000000"),
            concat!(
                "select count(*) from (select from (",
                $scope,
                ") as orders where ($2::text is null or status = $2) limit $3) as counted"
            ),
        ]
    };
}

macro_rules! page_of {
    ($scope:literal, $beyond:literal, $order:literal, $first_time:literal, $first_id:literal) => {
        concat!(
            "select ",
            order_columns!(),
            " from (",
            $scope,
            ") as orders
             where ($2::text is null or status = $2)
               and (created_at, id) ",
            $beyond,
            " (coalesce($3::timestamptz, '",
            $first_time,
            "'), coalesce($4::uuid, '",
            $first_id,
            "'::uuid))
             order by created_at ",
            $order,
            ", id ",
            $order,
            " limit $5 offset $6"
        )
    };
}

/// A page of orders, newest first, and the total, which is counted up to [`COUNTED`] + 1.
pub(crate) async fn page(
    mut db: Reads<'_>,
    scope: Scope,
    status: Option<OrderStatus>,
    part: &Part<(Moment, Uuid)>,
) -> Result<(Vec<Record>, i64), InternalError> {
    let (owner, [newest_first, oldest_first, count]) = match scope {
        Scope::Buyer(user) => (user, orders_of!("select * from orders where user_id = $1")),
        Scope::Guest(digest) => (
            digest,
            orders_of!("select * from orders where guest_digest = $1 and created_at > now() - interval '30 days'"),
        ),
        Scope::Seller(seller) => (
            seller,
            orders_of!(
                "select * from orders where id in (
                     select order_id from order_items where seller_id = $1
                     union select id from orders where user_id = $1)"
            ),
        ),
    };
    let counted: i64 =
        sqlx::query_scalar(count).bind(owner).bind(status).bind(COUNTED + 1).fetch_one(db.reborrow()).await?;
    let (at, id) = part.from.map(|(at, id)| (at.0, id)).unzip();
    let rows: Vec<OrderRow> = sqlx::query_as(if part.is_backwards { oldest_first } else { newest_first })
        .bind(owner)
        .bind(status)
        .bind(at)
        .bind(id)
        .bind(part.rows())
        .bind(part.offset())
        .fetch_all(db)
        .await?;
    Ok((rows.into_iter().map(OrderRow::read).collect(), counted))
}

/// The history of an order, oldest first.
pub(crate) async fn history(db: Reads<'_>, order: OrderId) -> Result<Vec<HistoryEntry>, InternalError> {
    let sql = "select event, status, version, at, cause from order_history where order_id = $1 order by version";
    let rows: Vec<(String, OrderStatus, i64, DateTime<Utc>, String)> =
        sqlx::query_as(sql).bind(order).fetch_all(db).await?;
    let entry = |(event, status, version, at, cause)| HistoryEntry { event, status, version, at, cause };
    Ok(rows.into_iter().map(entry).collect())
}

/// The amount due of an order, and its owner, without the sellers.
pub(crate) async fn payable(db: Reads<'_>, order_id: OrderId) -> Result<Option<(Owner, Payable)>, InternalError> {
    let sql = "select order_number, user_id, guest_digest, created_at > now() - interval '30 days',
                total_amount, currency, status
         from orders where id = $1";
    let row: Option<(String, Option<Uuid>, Option<Uuid>, bool, i64, Currency, OrderStatus)> =
        sqlx::query_as(sql).bind(order_id).fetch_optional(db).await?;
    Ok(row.map(|(order_number, user_id, guest, guest_open, amount, currency, status)| {
        let owner = Owner { user_id, guest: guest.filter(|_| guest_open), sellers: Vec::new() };
        let (user_id, amount) = (user_id.map(UserId), Money::new(amount, currency));
        (owner, Payable { order_id, order_number, user_id, amount, status })
    }))
}

/// The units of orders, in the order of their lines.
pub(crate) async fn units_of(
    db: Reads<'_>,
    orders: &[OrderId],
) -> Result<BTreeMap<OrderId, Vec<Units>>, InternalError> {
    let sql =
        "select order_id, variant_id, quantity from order_items where order_id = any($1) order by order_id, position";
    let rows: Vec<(OrderId, VariantId, i64)> = sqlx::query_as(sql).bind(orders).fetch_all(db).await?;
    let mut units: BTreeMap<OrderId, Vec<Units>> = BTreeMap::new();
    for (order, variant_id, quantity) in rows {
        units.entry(order).or_default().push(Units { variant_id, quantity });
    }
    Ok(units)
}
