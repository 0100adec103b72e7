//! The money of every order: the amount kept equals the amount owed.
//!
//! A confirmed, processing, shipped or delivered order owes its total, less completed refunds and lost disputes. Every
//! other order owes nothing. The amount kept is captured less refunded and lost. A pending order may have been paid
//! already. Money being refunded is in flight for as long as the provider takes: `deadlines` reports a refund that is
//! no longer pursued, `dead_letters` one that was given up.

use std::fmt;

use anyhow::Result;
use sqlx::FromRow;
use uuid::Uuid;

use super::MOST;
use crate::{
    Sources, Suspect,
    join::{join, side},
};

const ORDERS: &str = "select id, status, payment_status, total_amount as total, currency from orders order by id";

/// Refunds are summed from their own rows, which must match the sums in the payment's row.
const PAYMENTS: &str = "
select p.order_id, p.id, p.status, p.amount, p.currency, p.captured, p.refunded, p.refunding, p.lost, p.order_ended,
       (select least(coalesce(sum((d.value ->> 'amount')::bigint), 0), p.captured - p.refunded - p.refunding)::bigint
        from jsonb_each(p.disputes) d where d.value ->> 'state' = 'lost') as disputes_lost,
       exists (select from jsonb_each(p.disputes) d where d.value ->> 'state' = 'open') as is_disputed,
       coalesce(r.done, 0)::bigint as refunds_done, coalesce(r.pending, 0)::bigint as refunds_pending
from payments p left join (
    select payment_id, sum(amount) filter (where status = 'succeeded') as done,
           sum(amount) filter (where status = 'pending') as pending
    from refunds group by payment_id) r on r.payment_id = p.id
order by p.order_id";

#[derive(Debug, Clone, FromRow)]
struct Order {
    status: String,
    payment_status: String,
    total: i64,
    currency: String,
}

#[derive(Debug, Clone, FromRow)]
struct Payment {
    id: Uuid,
    status: String,
    amount: Option<i64>,
    currency: Option<String>,
    captured: i64,
    refunded: i64,
    refunding: i64,
    lost: i64,
    disputes_lost: i64,
    is_disputed: bool,
    order_ended: bool,
    refunds_done: i64,
    refunds_pending: i64,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let orders = side::<Order>(sources.database(subjects::orders::DOMAIN)?, ORDERS);
    let payments = side::<Payment>(sources.database(subjects::payments::DOMAIN)?, PAYMENTS);
    let mut suspects = Vec::new();
    join(orders, payments, |id, order, payment| {
        let payment_id = payment.as_ref().map(|p| format!(", payment {}", p.id)).unwrap_or_default();
        if let Some(text) = odd(order.as_ref(), payment.as_ref())
            && suspects.len() < MOST
        {
            suspects.push(Suspect::new(format!("order {id}{payment_id}"), text));
        }
    })
    .await?;
    Ok(suspects)
}

/// The discrepancy between an order and its payment.
fn odd(order: Option<&Order>, payment: Option<&Payment>) -> Option<String> {
    if let Some(payment) = payment
        && (payment.refunds_done, payment.refunds_pending) != (payment.refunded, payment.refunding)
    {
        return Some(format!(
            "the payment says {} refunded and {} on the way, its refunds say {} and {}",
            payment.refunded, payment.refunding, payment.refunds_done, payment.refunds_pending
        ));
    }
    if let Some(payment) = payment
        && payment.lost != payment.disputes_lost
    {
        let Payment { lost, disputes_lost, .. } = payment;
        return Some(format!("the payment says {lost} lost, its disputes say {disputes_lost}"));
    }
    let kept = payment.map_or(0, Payment::kept);
    let Some(order) = order else {
        return (kept != 0).then(|| format!("{kept} are kept for an order that does not exist"));
    };
    let returned = payment.map_or(0, |p| p.refunds_done + p.disputes_lost);
    let owed = match order.status.as_str() {
        "confirmed" | "processing" | "shipped" | "delivered" => order.total - returned,
        _ => 0,
    };
    let is_early = order.status == "pending" && kept == order.total - returned;
    let goes_back = payment.is_some_and(|p| p.goes_back(owed));
    if kept != owed && !is_early && !goes_back {
        return Some(format!(
            "it is {} with a total of {} and owes {owed}; {}",
            order.status,
            order.total,
            payment.map_or_else(|| "there is no payment".to_owned(), ToString::to_string)
        ));
    }
    let payment = payment?;
    let is_other = payment.amount.is_some_and(|amount| amount != order.total)
        || payment.currency.as_ref().is_some_and(|currency| *currency != order.currency);
    if is_other {
        let (amount, currency) = (payment.amount.unwrap_or(0), payment.currency.as_deref().unwrap_or("?"));
        return Some(format!(
            "its total is {} {}, and its payment is for {amount} {currency}",
            order.total, order.currency
        ));
    }
    if goes_back {
        // The order's payment status changes only after the refund.
        return None;
    }
    let has_money = |status: &str| ["succeeded", "partially_refunded", "refunded"].contains(&status);
    // An order for nothing counts as paid; its payment may only be the one that its end has closed.
    let disagree = order.total > 0 && order.payment_status != payment.status;
    (disagree && (has_money(&order.payment_status) || has_money(&payment.status)))
        .then(|| format!("its payment status is {}, and the payment is {}", order.payment_status, payment.status))
}

impl Payment {
    fn kept(&self) -> i64 {
        self.captured - self.refunded - self.lost
    }

    /// Whether more is kept than owed and a pending refund accounts for it. For an ended order that may be the first of
    /// two: the remainder of a requested refund follows when that refund ends, and disputed money when the dispute is
    /// decided.
    fn goes_back(&self, owed: i64) -> bool {
        let kept = self.kept();
        let is_over = self.order_ended && owed == 0;
        kept > owed && (self.refunding > 0 && (kept - self.refunding == owed || is_over) || self.is_disputed && is_over)
    }
}

impl fmt::Display for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "captured {} less refunded {}", self.captured, self.refunded)?;
        if self.lost > 0 {
            write!(f, " and lost {}", self.lost)?;
        }
        write!(f, " is {}", self.kept())?;
        if self.refunding > 0 {
            write!(f, ", {} are on the way back", self.refunding)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(status: &str, payment_status: &str) -> Order {
        Order { status: status.into(), payment_status: payment_status.into(), total: 100, currency: "USD".into() }
    }

    fn payment(status: &str, captured: i64, refunded: i64) -> Payment {
        Payment {
            id: Uuid::nil(),
            status: status.into(),
            amount: Some(100),
            currency: Some("USD".into()),
            captured,
            refunded,
            refunding: 0,
            lost: 0,
            disputes_lost: 0,
            is_disputed: false,
            order_ended: false,
            refunds_done: refunded,
            refunds_pending: 0,
        }
    }

    fn check(order: &Order, payment: &Payment) -> Option<String> {
        odd(Some(order), Some(payment))
    }

    #[test]
    fn what_is_kept_is_what_is_owed() {
        assert_eq!(check(&order("confirmed", "succeeded"), &payment("succeeded", 100, 0)), None);
        assert_eq!(check(&order("delivered", "partially_refunded"), &payment("partially_refunded", 100, 30)), None);
        assert_eq!(check(&order("refunded", "refunded"), &payment("refunded", 100, 100)), None);
        assert_eq!(check(&order("cancelled", "refunded"), &payment("refunded", 100, 100)), None);
        assert_eq!(check(&order("pending", "succeeded"), &payment("succeeded", 100, 0)), None);
        assert_eq!(odd(Some(&order("failed", "cancelled")), None), None);
        assert!(check(&order("cancelled", "succeeded"), &payment("succeeded", 100, 0)).is_some());
        assert!(check(&order("confirmed", "succeeded"), &payment("succeeded", 101, 0)).is_some());
        assert!(check(&order("confirmed", "succeeded"), &payment("processing", 0, 0)).is_some());
        assert!(odd(Some(&order("confirmed", "succeeded")), None).is_some());
        assert!(odd(None, Some(&payment("succeeded", 100, 0))).is_some());
    }

    #[test]
    fn a_lost_dispute_is_money_that_went_back() {
        let lost = |amount, payment| Payment { lost: amount, disputes_lost: amount, ..payment };
        assert_eq!(check(&order("refunded", "refunded"), &lost(100, payment("refunded", 100, 0))), None);
        let part = lost(40, payment("partially_refunded", 100, 0));
        assert_eq!(check(&order("delivered", "partially_refunded"), &part), None);
        assert!(check(&order("delivered", "succeeded"), &part).is_some());
        let torn = Payment { disputes_lost: 0, ..part };
        let text = check(&order("delivered", "partially_refunded"), &torn);
        assert!(text.is_some_and(|text| text.contains("disputes say 0")));
    }

    #[test]
    fn money_on_its_way_back_is_in_flight() {
        let refunding = |amount, payment| Payment { refunding: amount, refunds_pending: amount, ..payment };
        let cancelled = order("cancelled", "succeeded");
        assert_eq!(check(&cancelled, &refunding(100, payment("succeeded", 100, 0))), None);
        assert_eq!(check(&cancelled, &refunding(70, payment("partially_refunded", 100, 30))), None);
        // Paid after the order's payment failed: the order learns of the money when it has been refunded.
        assert_eq!(check(&order("expired", "cancelled"), &refunding(100, payment("succeeded", 100, 0))), None);
        assert!(check(&cancelled, &refunding(30, payment("succeeded", 100, 0))).is_some());
        // Disputed money is refunded when the dispute is decided.
        let disputed = Payment { is_disputed: true, order_ended: true, ..payment("succeeded", 100, 0) };
        assert_eq!(check(&cancelled, &disputed), None);
        assert!(check(&cancelled, &Payment { order_ended: false, ..disputed }).is_some());
        // A requested refund: the rest follows when it has ended.
        let first_of_two = Payment { order_ended: true, ..refunding(30, payment("succeeded", 100, 0)) };
        assert_eq!(check(&cancelled, &first_of_two), None);
        // An active order owes its total until the refund succeeds, and both sides have the same status.
        assert_eq!(check(&order("confirmed", "succeeded"), &refunding(30, payment("succeeded", 100, 0))), None);
        assert!(check(&order("confirmed", "cancelled"), &refunding(30, payment("succeeded", 100, 0))).is_some());
    }

    #[test]
    fn refunds_and_statuses_must_agree() {
        let torn = Payment { refunds_done: 20, ..payment("partially_refunded", 100, 30) };
        assert!(
            check(&order("confirmed", "partially_refunded"), &torn).is_some_and(|text| text.contains("refunds say"))
        );
        let late = check(&order("confirmed", "succeeded"), &payment("partially_refunded", 100, 30));
        assert!(late.is_some_and(|text| text.contains("payment status")));
        let foreign = Payment { currency: Some("EUR".into()), ..payment("succeeded", 100, 0) };
        assert!(check(&order("confirmed", "succeeded"), &foreign).is_some_and(|text| text.contains("EUR")));
    }
}
