//! The status transitions of every order, against the table of legal ones.

use anyhow::Result;
use futures::TryStreamExt;
use sqlx::Row;
use subjects::orders::OrderStatus;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect};

/// Every transition with its predecessor, and the last one of an order with the order's current status.
const STATEMENT: &str = "
select h.order_id, h.version, h.status, lag(h.status) over steps as before, lag(h.version) over steps as version_before,
       lead(h.version) over steps is null as is_last, o.status as order_status, o.version as order_version
from order_history h left join orders o on o.id = h.order_id
window steps as (partition by h.order_id order by h.version)
order by h.order_id, h.version";

/// Orders without a history.
const WITHOUT: &str = "
select id from orders o where not exists (select 1 from order_history h where h.order_id = o.id) order by id limit $1";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let database = sources.database(subjects::orders::DOMAIN)?;
    let mut suspects = Vec::new();
    let mut rows = sqlx::query(STATEMENT).fetch(database);
    while let Some(row) = rows.try_next().await? {
        let (id, version): (Uuid, i64) = (row.try_get("order_id")?, row.try_get("version")?);
        let (status, before): (&str, Option<&str>) = (row.try_get("status")?, row.try_get("before")?);
        let mut add = |text: String| suspects.push(Suspect::new(format!("order {id}, version {version}"), text));
        let version_before: Option<i64> = row.try_get("version_before")?;
        match before {
            _ if version_before.unwrap_or(0) + 1 != version => {
                add(format!("the step before it is {}", version_before.unwrap_or(0)));
            }
            None if status != "pending" => add(format!("its first status is {status}")),
            Some(before) if before != status && !is_legal(before, status) => add(format!("{before} became {status}")),
            _ => {}
        }
        if row.try_get("is_last")? {
            let stands: (Option<&str>, Option<i64>) = (row.try_get("order_status")?, row.try_get("order_version")?);
            match stands {
                (Some(now), Some(at)) if (now, at) != (status, version) => {
                    add(format!("its history ends as {status}, and it is {now} at version {at}"));
                }
                (None, _) => add("there is no such order".to_owned()),
                _ => {}
            }
        }
        if suspects.len() >= MOST {
            return Ok(suspects);
        }
    }
    let without: Vec<Uuid> = sqlx::query_scalar(WITHOUT).bind(MOST as i64).fetch_all(database).await?;
    suspects.extend(without.iter().map(|id| Suspect::new(format!("order {id}"), "it has no history")));
    Ok(suspects)
}

fn is_legal(from: &str, to: &str) -> bool {
    let (Ok(from), Ok(to)) = (from.parse::<OrderStatus>(), to.parse()) else { return false };
    from.may_become(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_statuses_are_left_by_no_edge() {
        for end in ["failed", "expired", "cancelled", "refunded"] {
            for status in OrderStatus::ALL {
                assert!(!is_legal(end, status.as_str()), "{end} to {}", status.as_str());
            }
        }
        assert!(is_legal("pending", "confirmed") && is_legal("delivered", "refunded"));
        assert!(!is_legal("pending", "shipped") && !is_legal("shipped", "cancelled") && !is_legal("lost", "found"));
    }
}
