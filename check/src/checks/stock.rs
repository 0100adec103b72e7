//! Conservation of units per variant, and agreement with the ledger.

use anyhow::Result;
use sqlx::FromRow;
use uuid::Uuid;

use super::found;
use crate::{Sources, Suspect};

/// Units enter by receiving and counting, leave by being sold, and return when a sold order is cancelled or refunded.
/// An opening balance stands for entries that were trimmed, and names the units that these had sold.
/// Discrepancies are reported as differences, which stay constant while the variant continues to sell.
const STATEMENT: &str = "
select * from (
    select s.variant_id, s.received - (s.on_hand - s.reserved) - s.reserved - s.sold as vanished,
           greatest(s.reserved - s.on_hand, 0) as oversold,
           (s.on_hand - coalesce(m.on_hand, 0))::bigint as on_hand,
           (s.reserved - coalesce(m.reserved, 0))::bigint as reserved,
           (s.received - coalesce(m.received, 0))::bigint as received, (s.sold - coalesce(m.sold, 0))::bigint as sold
    from stock s left join (
        select variant_id, sum(on_hand_delta) as on_hand, sum(reserved_delta) as reserved,
               coalesce(sum(on_hand_delta) filter (where reason not in ('committed', 'returned', 'restocked')), 0)
                   + coalesce(sum(sold), 0) as received,
               coalesce(sum(sold), 0)
                   - coalesce(sum(on_hand_delta) filter (where reason in ('committed', 'returned', 'restocked')), 0)
                   as sold
        from movement group by variant_id) m using (variant_id)) off
where (vanished, oversold, on_hand, reserved, received, sold) <> (0, 0, 0, 0, 0, 0)
order by variant_id limit $1";

#[derive(FromRow)]
struct Off {
    variant_id: Uuid,
    vanished: i64,
    oversold: i64,
    on_hand: i64,
    reserved: i64,
    received: i64,
    sold: i64,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let found = found(sources.database(subjects::inventory::DOMAIN)?, STATEMENT).await?;
    Ok(found.into_iter().map(suspect).collect())
}

fn suspect(Off { variant_id, vanished, oversold, on_hand, reserved, received, sold }: Off) -> Suspect {
    let text = format!(
        "received - available - reserved - sold is {vanished}, {oversold} are oversold; against the ledger: on hand \
         {on_hand:+}, reserved {reserved:+}, received {received:+}, sold {sold:+}"
    );
    Suspect::new(format!("variant {variant_id}"), text)
}
