//! Conservation of units, per variant, and the ledger that must add up to it.

use anyhow::Result;
use sqlx::Row;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect};

/// Units come in by receiving and counting, leave by being sold, and come back when a sold order is cancelled.
const STATEMENT: &str = "
select s.variant_id, s.on_hand, s.reserved, s.received, s.sold,
       coalesce(m.on_hand, 0)::bigint as on_hand_moved, coalesce(m.reserved, 0)::bigint as reserved_moved,
       coalesce(m.received, 0)::bigint as received_moved, coalesce(m.sold, 0)::bigint as sold_moved
from stock s left join (
    select variant_id, sum(on_hand_delta) as on_hand, sum(reserved_delta) as reserved,
           sum(on_hand_delta) filter (where reason not in ('committed', 'returned')) as received,
           -sum(on_hand_delta) filter (where reason in ('committed', 'returned')) as sold
    from movement group by variant_id) m using (variant_id)
where s.received <> (s.on_hand - s.reserved) + s.reserved + s.sold or s.on_hand < s.reserved
   or s.on_hand <> coalesce(m.on_hand, 0) or s.reserved <> coalesce(m.reserved, 0)
   or s.received <> coalesce(m.received, 0) or s.sold <> coalesce(m.sold, 0)
order by s.variant_id limit $1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let rows =
        sqlx::query(STATEMENT).bind(MOST as i64).fetch_all(sources.database(subjects::inventory::DOMAIN)?).await?;
    let mut suspects = Vec::new();
    for row in rows {
        let number = |column: &str| row.try_get::<i64, _>(column);
        let (on_hand, reserved) = (number("on_hand")?, number("reserved")?);
        let (received, sold, available) = (number("received")?, number("sold")?, on_hand - reserved);
        let id: Uuid = row.try_get("variant_id")?;
        suspects.push(Suspect::new(
            format!("variant {id}"),
            format!(
                "received {received}, available {available}, reserved {reserved}, sold {sold}; \
                 by the ledger received {}, on hand {}, reserved {}, sold {}",
                number("received_moved")?,
                number("on_hand_moved")?,
                number("reserved_moved")?,
                number("sold_moved")?
            ),
        ));
    }
    Ok(suspects)
}
