//! Conservation of units, per variant, and the ledger that must add up to it.

use anyhow::Result;
use sqlx::Row;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect};

/// Units come in by receiving and counting, leave by being sold, and come back when a sold order is cancelled. What is off
/// is told as a difference, which stays as it is while the variant goes on being sold.
const STATEMENT: &str = "
select * from (
    select s.variant_id, s.received - (s.on_hand - s.reserved) - s.reserved - s.sold as vanished,
           greatest(s.reserved - s.on_hand, 0) as oversold,
           (s.on_hand - coalesce(m.on_hand, 0))::bigint as on_hand, (s.reserved - coalesce(m.reserved, 0))::bigint as reserved,
           (s.received - coalesce(m.received, 0))::bigint as received, (s.sold - coalesce(m.sold, 0))::bigint as sold
    from stock s left join (
        select variant_id, sum(on_hand_delta) as on_hand, sum(reserved_delta) as reserved,
               sum(on_hand_delta) filter (where reason not in ('committed', 'returned')) as received,
               -sum(on_hand_delta) filter (where reason in ('committed', 'returned')) as sold
        from movement group by variant_id) m using (variant_id)) off
where (vanished, oversold, on_hand, reserved, received, sold) <> (0, 0, 0, 0, 0, 0)
order by variant_id limit $1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let rows =
        sqlx::query(STATEMENT).bind(MOST as i64).fetch_all(sources.database(subjects::inventory::DOMAIN)?).await?;
    let mut suspects = Vec::new();
    for row in rows {
        let number = |column: &str| row.try_get::<i64, _>(column);
        let id: Uuid = row.try_get("variant_id")?;
        let text = format!(
            "received - available - reserved - sold is {}, {} are oversold; against the ledger: on hand {:+}, reserved \
             {:+}, received {:+}, sold {:+}",
            number("vanished")?,
            number("oversold")?,
            number("on_hand")?,
            number("reserved")?,
            number("received")?,
            number("sold")?
        );
        suspects.push(Suspect::new(format!("variant {id}"), text));
    }
    Ok(suspects)
}
