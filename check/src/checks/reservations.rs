//! Reserved and sold units, against the reservations of orders.

use anyhow::Result;
use uuid::Uuid;

use super::found;
use crate::{Sources, Suspect};

/// Discrepancies are reported as differences, which stay constant while the variant continues to sell.
const STATEMENT: &str = "
select * from (
    select variant_id, (coalesce(s.reserved, 0) - coalesce(r.held, 0))::bigint as reserved,
           (coalesce(s.sold, 0) - coalesce(r.taken, 0))::bigint as sold
    from stock s full join (
        select l.variant_id, sum(l.quantity) filter (where r.status = 'held') as held,
               sum(l.quantity - l.returned) filter (where r.status = 'committed') as taken
        from reservation_line l join reservation r using (order_id) group by l.variant_id) r using (variant_id)) off
where (reserved, sold) <> (0, 0)
order by variant_id limit $1";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let found = found(sources.database(subjects::inventory::DOMAIN)?, STATEMENT).await?;
    let suspect = |(id, reserved, sold): (Uuid, i64, i64)| {
        let text = format!("against its reservations: reserved {reserved:+}, sold {sold:+}");
        Suspect::new(format!("variant {id}"), text)
    };
    Ok(found.into_iter().map(suspect).collect())
}
