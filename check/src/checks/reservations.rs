//! What is reserved and what was sold, against the reservations that say for whom.

use anyhow::Result;
use sqlx::Row;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect};

/// What is off is told as a difference, which stays as it is while the variant goes on being sold.
const STATEMENT: &str = "
select * from (
    select variant_id, (coalesce(s.reserved, 0) - coalesce(r.held, 0))::bigint as reserved,
           (coalesce(s.sold, 0) - coalesce(r.taken, 0))::bigint as sold
    from stock s full join (
        select l.variant_id, sum(l.quantity) filter (where r.status = 'held') as held,
               sum(l.quantity) filter (where r.status = 'committed') as taken
        from reservation_line l join reservation r using (order_id) group by l.variant_id) r using (variant_id)) off
where (reserved, sold) <> (0, 0)
order by variant_id limit $1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let rows =
        sqlx::query(STATEMENT).bind(MOST as i64).fetch_all(sources.database(subjects::inventory::DOMAIN)?).await?;
    let mut suspects = Vec::new();
    for row in rows {
        let id: Uuid = row.try_get("variant_id")?;
        let (reserved, sold): (i64, i64) = (row.try_get("reserved")?, row.try_get("sold")?);
        let text = format!("against its reservations: reserved {reserved:+}, sold {sold:+}");
        suspects.push(Suspect::new(format!("variant {id}"), text));
    }
    Ok(suspects)
}
