//! Orders against their reservations: no order without its units, no units without an order.

use anyhow::Result;
use sqlx::FromRow;

use super::MOST;
use crate::{
    Sources, Suspect,
    join::{join, side},
};

/// Lines, less returned units, as text in the same format on both sides.
const ORDERS: &str = "
select o.id, o.status, o.stock_held, o.fulfillment_status = 'unfulfilled' as is_unshipped,
       coalesce(l.lines, '') as lines
from orders o left join (
    select order_id, string_agg(variant_id || ' x ' || quantity, ', ' order by variant_id) as lines
    from (select order_id, variant_id, sum(quantity - returned) as quantity from order_items group by 1, 2) s
    where quantity > 0 group by order_id) l on l.order_id = o.id
order by o.id";

const RESERVATIONS: &str = "
select r.order_id, r.status, coalesce(l.lines, '') as lines
from reservation r left join (
    select order_id, string_agg(variant_id || ' x ' || (quantity - returned), ', ' order by variant_id) as lines
    from reservation_line where quantity > returned group by order_id) l using (order_id)
order by r.order_id";

#[derive(FromRow)]
struct Order {
    status: String,
    stock_held: bool,
    is_unshipped: bool,
    lines: String,
}

#[derive(FromRow)]
struct Reservation {
    status: String,
    lines: String,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let orders = side::<Order>(sources.database(subjects::orders::DOMAIN)?, ORDERS);
    let reservations = side::<Reservation>(sources.database(subjects::inventory::DOMAIN)?, RESERVATIONS);
    let mut suspects = Vec::new();
    join(orders, reservations, |id, order, reservation| {
        if let Some(text) = odd(order.as_ref(), reservation.as_ref())
            && suspects.len() < MOST
        {
            suspects.push(Suspect::new(format!("order {id}"), text));
        }
    })
    .await?;
    Ok(suspects)
}

/// The discrepancy between an order and its reservation.
fn odd(order: Option<&Order>, reservation: Option<&Reservation>) -> Option<String> {
    let Some(order) = order else {
        let held = reservation.filter(|r| ["held", "committed"].contains(&r.status.as_str()))?;
        return Some(format!("its reservation is {} ({}), and there is no such order", held.status, held.lines));
    };
    let is = reservation.map_or("missing", |r| r.status.as_str());
    let allowed: &[&str] = match order.status.as_str() {
        "pending" => &["held"],
        "confirmed" | "processing" | "shipped" | "delivered" | "refunded" if order.lines.is_empty() => &["returned"],
        "confirmed" | "processing" | "shipped" | "delivered" | "refunded" => &["committed"],
        // The order may end before inventory receives it, or after nothing could be reserved.
        "failed" | "expired" => &["rejected", "released", "tombstone"],
        "cancelled" => &["rejected", "released", "returned", "tombstone"],
        _ => &[],
    };
    if !allowed.contains(&is) {
        return Some(format!("it is {}, and its reservation is {is}", order.status));
    }
    if order.status == "refunded" && order.is_unshipped && !order.lines.is_empty() {
        return Some(format!("it was refunded before it was shipped, and keeps {}", order.lines));
    }
    let keeps = ["held", "committed"].contains(&is);
    if keeps && reservation.is_some_and(|r| r.lines != order.lines) {
        let reserved = reservation.map_or("", |r| r.lines.as_str());
        return Some(format!("it is {} for {}, and its reservation for {reserved}", order.status, order.lines));
    }
    (order.status == "pending" && !order.stock_held).then(|| "its stock is held, and it has no such event".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(status: &str) -> Order {
        Order { status: status.into(), stock_held: true, is_unshipped: true, lines: "a x 1".into() }
    }

    fn reservation(status: &str, lines: &str) -> Reservation {
        Reservation { status: status.into(), lines: lines.into() }
    }

    #[test]
    fn an_order_has_its_goods_and_goods_have_their_order() {
        let held = reservation("held", "a x 1");
        assert_eq!(odd(Some(&order("pending")), Some(&held)), None);
        assert!(odd(Some(&order("confirmed")), Some(&held)).is_some());
        assert!(odd(Some(&order("cancelled")), Some(&held)).is_some());
        assert!(odd(Some(&order("confirmed")), None).is_some_and(|text| text.contains("missing")));
        assert!(odd(None, Some(&held)).is_some_and(|text| text.contains("no such order")));
        assert_eq!(odd(None, Some(&reservation("tombstone", ""))), None);
        assert!(odd(Some(&order("confirmed")), Some(&reservation("committed", "a x 2"))).is_some());
        let returned = |status: &str| Order { lines: String::new(), ..order(status) };
        assert_eq!(odd(Some(&returned("refunded")), Some(&reservation("returned", ""))), None);
        assert_eq!(odd(Some(&returned("confirmed")), Some(&reservation("returned", ""))), None);
        assert!(odd(Some(&returned("refunded")), Some(&reservation("committed", "a x 1"))).is_some());
        let kept = odd(Some(&order("refunded")), Some(&reservation("committed", "a x 1")));
        assert!(kept.is_some_and(|text| text.contains("before it was shipped")));
        let shipped = Order { is_unshipped: false, ..order("refunded") };
        assert_eq!(odd(Some(&shipped), Some(&reservation("committed", "a x 1"))), None);
        assert!(odd(Some(&Order { stock_held: false, ..order("pending") }), Some(&held)).is_some());
    }
}
