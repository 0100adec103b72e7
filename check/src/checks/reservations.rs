//! What is reserved and what was sold, against the reservations that say for whom.

use anyhow::Result;
use sqlx::Row;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect};

const STATEMENT: &str = "
select variant_id, coalesce(s.reserved, 0) as reserved, coalesce(s.sold, 0) as sold,
       coalesce(r.held, 0)::bigint as held, coalesce(r.taken, 0)::bigint as taken
from stock s full join (
    select l.variant_id, sum(l.quantity) filter (where r.status = 'held') as held,
           sum(l.quantity) filter (where r.status = 'committed') as taken
    from reservation_line l join reservation r using (order_id) group by l.variant_id) r using (variant_id)
where coalesce(s.reserved, 0) <> coalesce(r.held, 0) or coalesce(s.sold, 0) <> coalesce(r.taken, 0)
order by variant_id limit $1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let rows =
        sqlx::query(STATEMENT).bind(MOST as i64).fetch_all(sources.database(subjects::inventory::DOMAIN)?).await?;
    let mut suspects = Vec::new();
    for row in rows {
        let number = |column: &str| row.try_get::<i64, _>(column);
        let id: Uuid = row.try_get("variant_id")?;
        suspects.push(Suspect::new(
            format!("variant {id}"),
            format!(
                "{} are reserved, open reservations hold {}; {} are sold, committed reservations took {}",
                number("reserved")?,
                number("held")?,
                number("sold")?,
                number("taken")?
            ),
        ));
    }
    Ok(suspects)
}
