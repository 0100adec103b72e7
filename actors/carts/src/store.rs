//! All SQL of this domain.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use runtime::{InternalError, Locks, Reads, Writes, columns};
use subjects::CartId;
use uuid::Uuid;

use crate::{
    basket::{Basket, Line},
    owner::Owner,
};

/// A cart with its owner: one of them is null.
#[derive(sqlx::FromRow)]
struct Row {
    user_id: Option<Uuid>,
    token_digest: Option<Uuid>,
    #[sqlx(flatten)]
    basket: Basket,
}

impl Row {
    fn owned(self) -> Option<(Owner, Basket)> {
        let owner = self.user_id.map(Owner::Customer).or(self.token_digest.map(Owner::Guest));
        Some((owner?, self.basket))
    }
}

fn ids(owners: &BTreeSet<Owner>) -> (Vec<Uuid>, Vec<Uuid>) {
    let users = owners.iter().filter_map(|owner| owner.user_id()).collect();
    (users, owners.iter().filter_map(|owner| owner.token_digest()).collect())
}

/// The carts of these owners with their lines. A single statement, so that versions and lines are of one snapshot. A
/// guest's cart that was not changed for 30 days is treated as absent.
pub(crate) async fn baskets(db: Reads<'_>, owners: &BTreeSet<Owner>) -> Result<BTreeMap<Owner, Basket>, InternalError> {
    let sql = "select c.id, c.user_id, c.token_digest, c.currency, c.version, coalesce(
            (select json_agg(i order by i.created_at, i.id) from cart_item i where i.cart_id = c.id), '[]') as lines
        from cart c
        where (c.user_id = any($1) or c.token_digest = any($2))
            and (c.user_id is not null or c.updated_at > now() - interval '30 days')";
    let (users, guests) = ids(owners);
    let rows: Vec<Row> = sqlx::query_as(sql).bind(users).bind(guests).fetch_all(db).await?;
    let baskets: Option<_> = rows.into_iter().map(Row::owned).collect();
    baskets.ok_or_else(|| InternalError::other("a cart without an owner"))
}

/// The cart of an owner.
pub(crate) async fn basket(db: Reads<'_>, owner: Owner) -> Result<Option<Basket>, InternalError> {
    Ok(baskets(db, &BTreeSet::from([owner])).await?.remove(&owner))
}

/// As [`baskets`], with the carts locked in the order of their ids.
pub(crate) async fn lock(
    mut db: Locks<'_>,
    owners: &BTreeSet<Owner>,
) -> Result<BTreeMap<Owner, Basket>, InternalError> {
    if owners.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "select id from cart where user_id = any($1) or token_digest = any($2) order by id for update";
    let (users, guests) = ids(owners);
    let carts: Vec<Uuid> = sqlx::query_scalar(sql).bind(users).bind(guests).fetch_all(db.reborrow()).await?;
    // A separate statement, so that its snapshot includes the writes of the previous lock holder.
    if carts.is_empty() { Ok(BTreeMap::new()) } else { baskets(db.into(), owners).await }
}

/// Inserts a cart unless it exists.
pub(crate) async fn insert_cart(
    db: Writes<'_>,
    cart: &Basket,
    owner: Owner,
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    let sql = "insert into cart (id, user_id, token_digest, currency, version, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $6) on conflict do nothing";
    sqlx::query(sql)
        .bind(cart.id.0)
        .bind(owner.user_id())
        .bind(owner.token_digest())
        .bind(cart.currency)
        .bind(cart.version)
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Updates the rows of locked carts, without their lines.
pub(crate) async fn update_carts(db: Writes<'_>, carts: &[&Basket], now: DateTime<Utc>) -> Result<(), InternalError> {
    let sql = "update cart set currency = new.currency, version = new.version, updated_at = $4
        from unnest($1::uuid[], $2::text[], $3::bigint[]) as new (id, currency, version) where cart.id = new.id";
    let query = columns!(sqlx::query(sql), carts, cart; cart.id, cart.currency, cart.version);
    query.bind(now).execute(db).await?;
    Ok(())
}

/// Inserts or updates lines of locked carts.
pub(crate) async fn put_lines(
    db: Writes<'_>,
    lines: &[(CartId, &Line)],
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    if lines.is_empty() {
        return Ok(());
    }
    let sql = "insert into cart_item
            (id, cart_id, variant_id, product_id, sku, name, unit_amount, quantity, created_at, updated_at)
        select id, cart_id, variant_id, product_id, sku, name, unit_amount, quantity, $9, $9
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
            as line (cart_id, id, variant_id, product_id, sku, name, unit_amount, quantity)
        on conflict (id) do update set product_id = excluded.product_id, sku = excluded.sku, name = excluded.name,
            unit_amount = excluded.unit_amount, quantity = excluded.quantity, updated_at = excluded.updated_at";
    let carts: Vec<_> = lines.iter().map(|(cart, _)| *cart).collect();
    let lines: Vec<_> = lines.iter().map(|(_, line)| *line).collect();
    let query = columns!(sqlx::query(sql).bind(carts), lines, line; line.id, line.variant_id, line.product_id,
        line.sku.as_str(), line.name.as_str(), line.unit_amount, line.quantity);
    query.bind(now).execute(db).await?;
    Ok(())
}

/// Deletes lines of locked carts.
pub(crate) async fn delete_lines(db: Writes<'_>, lines: &[Uuid]) -> Result<(), InternalError> {
    let sql = "delete from cart_item where id = any($1)";
    if !lines.is_empty() {
        sqlx::query(sql).bind(lines).execute(db).await?;
    }
    Ok(())
}

/// Subtracts ordered units, by cart and variant, in four statements. Locks the carts as [`lock`] does.
pub(crate) async fn drop_ordered(
    mut db: Writes<'_>,
    ordered: &BTreeMap<(Uuid, Uuid), i64>,
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    let carts: Vec<_> = ordered.keys().map(|(cart, _)| *cart).collect::<BTreeSet<_>>().into_iter().collect();
    let sql = "select id from cart where id = any($1) order by id for update";
    sqlx::query(sql).bind(&carts).execute(db.reborrow()).await?;

    let of_cart: Vec<_> = ordered.keys().map(|(cart, _)| *cart).collect();
    let variants: Vec<_> = ordered.keys().map(|(_, variant)| *variant).collect();
    let units: Vec<_> = ordered.values().copied().collect();
    let sql = "delete from cart_item i
        using unnest($1::uuid[], $2::uuid[], $3::bigint[]) as o (cart_id, variant_id, quantity)
        where i.cart_id = o.cart_id and i.variant_id = o.variant_id and i.quantity <= o.quantity
        returning i.cart_id";
    let mut touched: Vec<Uuid> =
        sqlx::query_scalar(sql).bind(&of_cart).bind(&variants).bind(&units).fetch_all(db.reborrow()).await?;
    let sql = "update cart_item i set quantity = i.quantity - o.quantity, updated_at = $4
        from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as o (cart_id, variant_id, quantity)
        where i.cart_id = o.cart_id and i.variant_id = o.variant_id and i.quantity > o.quantity
        returning i.cart_id";
    let reduced: Vec<Uuid> =
        sqlx::query_scalar(sql).bind(&of_cart).bind(&variants).bind(&units).bind(now).fetch_all(db.reborrow()).await?;
    touched.extend(reduced);

    // Only carts that changed get a new version.
    let sql = "update cart set version = version + 1, updated_at = $2 where id = any($1)";
    sqlx::query(sql).bind(&touched).bind(now).execute(db).await?;
    Ok(())
}

/// Deletes expired guest carts, see [`baskets`], with their lines. Skips locked rows instead of waiting; the next run
/// deletes them.
pub(crate) async fn delete_stale(db: Writes<'_>, limit: u64) -> Result<u64, InternalError> {
    let sql = "delete from cart where id = any(array(
            select id from cart where user_id is null and updated_at <= now() - interval '30 days'
            order by updated_at limit $1 for update skip locked))";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(sqlx::query(sql).bind(limit).execute(db).await?.rows_affected())
}
