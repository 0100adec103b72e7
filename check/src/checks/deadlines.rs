//! Overdue work: orders past their deadline, effects past their lease, payments that wait without a pending effect.

use anyhow::Result;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::found;
use crate::{Sources, Suspect};

/// The deadline task runs every second, and the reply of payments takes some more time: after this the order is
/// overdue.
const ORDERS: &str = "
select id, payment_deadline, expiry_requested_at is not null as is_requested, payment_status from orders
where status = 'pending' and least(payment_deadline, expiry_requested_at) < now() - interval '15 seconds'
order by id limit $1";

/// The first effect of its entity, past its lease and its pause: every sweep should have taken it.
const EFFECTS: &str = "
select id, name, entity from effect e
where dead_lettered_at is null and greatest(lease_until, next_at) < now() - interval '15 seconds'
  and not exists (select 1 from effect o where o.entity = e.entity and o.number < e.number)
order by id limit $1";

/// Waits for a provider's reply without a request. Whichever the provider, a request is an effect from the commit that
/// starts the waiting to the commit that ends it.
const PAYMENTS: &str = "
select p.id, p.order_id, p.status, p.creating, p.closing from payments p
where (p.creating or p.closing is not null or p.refunding > 0)
  and p.updated_at < now() - interval '15 seconds'
  and not exists (select 1 from effect e where e.entity = p.id)
order by p.id limit $1";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = orders(sources.database(subjects::orders::DOMAIN)?).await?;
    suspects.extend(payments(sources.database(subjects::payments::DOMAIN)?).await?);
    for (domain, database) in sources.domains()? {
        for (id, name, entity) in found::<(Uuid, String, Uuid)>(database, EFFECTS).await? {
            let text = format!("{name} of {entity} is due and not running");
            suspects.push(Suspect::new(format!("{domain}: effect {id}"), text));
        }
    }
    Ok(suspects)
}

#[derive(FromRow)]
struct Order {
    id: Uuid,
    payment_deadline: DateTime<Utc>,
    is_requested: bool,
    payment_status: String,
}

async fn orders(database: &PgPool) -> Result<Vec<Suspect>> {
    let suspect = |Order { id, payment_deadline, is_requested, payment_status }| {
        let requested = if is_requested { "payments was requested to close it" } else { "no expiry was requested" };
        let text =
            format!("it is pending past its deadline {payment_deadline}, its payment {payment_status}; {requested}");
        Suspect::new(format!("order {id}"), text)
    };
    Ok(found(database, ORDERS).await?.into_iter().map(suspect).collect())
}

#[derive(FromRow)]
struct Payment {
    id: Uuid,
    order_id: Uuid,
    status: String,
    creating: bool,
    closing: Option<String>,
}

async fn payments(database: &PgPool) -> Result<Vec<Suspect>> {
    let suspect = |Payment { id, order_id, status, creating, closing }| {
        let waits = match (creating, closing) {
            (true, _) => "for its object to be created",
            (false, Some(_)) => "for its object to be closed",
            (false, None) => "for a refund",
        };
        let text = format!("it is {status} and waits {waits}, and has no effect");
        Suspect::new(format!("payment {id}, order {order_id}"), text)
    };
    Ok(found(database, PAYMENTS).await?.into_iter().map(suspect).collect())
}
