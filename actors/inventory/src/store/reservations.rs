//! The tables `reservation` and `reservation_line`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use runtime::{InternalError, LastWrites, Version, Writes, columns};
use uuid::Uuid;

use crate::machine::{State, account::Reservation};

/// Locks reservations, sorted by order, and reads their lines unless the state is terminal. Inserts a placeholder row
/// for an unknown order, so that concurrent transactions about it serialize.
pub(crate) async fn lock_reservations(
    mut db: Writes<'_>,
    orders: &[Uuid],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Uuid, Reservation>, InternalError> {
    let sql = "insert into reservation (order_id, status, updated_at)
        select u.order_id, 'new', $2 from unnest($1::uuid[]) as u (order_id)
        on conflict do nothing returning order_id";
    let new: BTreeSet<Uuid> =
        sqlx::query_scalar(sql).bind(orders).bind(now).fetch_all(db.reborrow()).await?.into_iter().collect();
    let mut reservations: BTreeMap<Uuid, Reservation> =
        new.iter().map(|order| (*order, Reservation::new(*order, State::New, Version::default()))).collect();
    let known: Vec<Uuid> = orders.iter().copied().filter(|order| !new.contains(order)).collect();
    if known.is_empty() {
        return Ok(reservations);
    }

    let sql = "select order_id, status, version from reservation
        where order_id = any($1) order by order_id for update";
    let rows: Vec<(Uuid, State, Version)> = sqlx::query_as(sql).bind(&known).fetch_all(db.reborrow()).await?;
    let mut lined = Vec::new();
    for (order, state, version) in rows {
        if matches!(state, State::New | State::Held | State::Rejected | State::Committed) {
            lined.push(order);
        }
        reservations.insert(order, Reservation::new(order, state, version));
    }
    if lined.is_empty() {
        return Ok(reservations);
    }

    let sql = "select order_id, variant_id, quantity, returned from reservation_line where order_id = any($1)";
    let lines: Vec<(Uuid, Uuid, i64, i64)> = sqlx::query_as(sql).bind(&lined).fetch_all(db).await?;
    for (order, variant, quantity, returned) in lines {
        let Some(reservation) = reservations.get_mut(&order) else { continue };
        // A line without a quantity only records units that were returned before they were sold.
        if quantity > 0 {
            reservation.lines.insert(variant, quantity);
        }
        if returned > 0 {
            reservation.returned.insert(variant, returned);
        }
    }
    Ok(reservations)
}

/// Writes locked reservations, sorted by order.
pub(crate) fn write_reservations(mut db: LastWrites<'_>, reservations: &[&Reservation], now: DateTime<Utc>) {
    insert_lines(db.reborrow(), reservations);
    let sql = "update reservation r
        set status = u.status, cause = u.cause, version = u.version, updated_at = $5
        from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) as u (order_id, status, cause, version)
        where r.order_id = u.order_id";
    let query = columns!(db.write(sql), reservations, known;
        known.order, known.state, known.cause, known.version);
    query.bind(now);
}

fn insert_lines(mut db: LastWrites<'_>, reservations: &[&Reservation]) {
    let mut lines = Vec::new();
    for known in reservations.iter().filter(|known| known.has_new_lines) {
        let variants: BTreeSet<_> = known.lines.keys().chain(known.returned.keys()).collect();
        lines.extend(variants.into_iter().map(|variant| (*known, variant)));
    }
    if lines.is_empty() {
        return;
    }
    let sql = "insert into reservation_line (order_id, variant_id, quantity, returned)
        select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
        on conflict (order_id, variant_id) do update set quantity = excluded.quantity, returned = excluded.returned";
    columns!(db.write(sql), lines, line;
        line.0.order, *line.1, line.0.quantity_of(*line.1), line.0.returned_of(*line.1));
}
