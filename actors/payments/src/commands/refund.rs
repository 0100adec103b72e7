//! An admin refunds a payment, in full or in part.

use std::collections::{BTreeMap, BTreeSet};

use contract::{CallError, Detail, DetailCode, Fields, LineBreaks};
use runtime::{
    CommandEnvelope, Context, Handle, HandlerResult, InternalError, Prepare, PrepareError, QueryResult, Transitions, Tx,
};
use subjects::{
    ItemId, Money, OrderId, RefundId,
    orders::{GetLines, Line, OrdersError, PaymentStatus},
    payments::{NewRefund, PaymentsError, Refund, RefundItem, RefundPayment},
};

use crate::{
    Payments,
    machine::{Attempt, Fact, driver::Ledger},
    store,
};

fn invalid(detail: Detail) -> PaymentsError {
    PaymentsError::InvalidRefund { fields: vec![detail] }
}

/// Maximum number of lines of a refund.
const MAX_ITEMS: usize = 100;

/// The lines of the order, if the refund names lines.
type Lines = Option<BTreeMap<ItemId, Line>>;

/// The price of the named lines. `restocked` counts the units that other refunds restock.
fn price(
    items: &[RefundItem],
    restock: bool,
    lines: &BTreeMap<ItemId, Line>,
    restocked: &BTreeMap<ItemId, i64>,
) -> Result<i64, PaymentsError> {
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(invalid(Detail::count("items", 1, MAX_ITEMS)));
    }
    let (mut sum, mut named) = (0_i64, BTreeSet::new());
    for (index, RefundItem { line_id, quantity }) in items.iter().enumerate() {
        let field = |name: &str| format!("items[{index}].{name}");
        let Some(line) = lines.get(line_id) else {
            return Err(invalid(Detail::new(field("line_id"), DetailCode::NotFound, "must be a line of the order")));
        };
        if !named.insert(line_id) {
            return Err(invalid(Detail::new(field("line_id"), DetailCode::Repeated, "must appear only once")));
        }
        if !(1..=line.quantity).contains(quantity) {
            return Err(invalid(Detail::range(field("quantity"), 1, line.quantity)));
        }
        let others = restocked.get(line_id).copied().unwrap_or_default();
        let left = line.returnable.min(line.quantity - others).max(0);
        if restock && *quantity > left {
            return Err(PaymentsError::ReturnTooLarge { line_id: *line_id, left });
        }
        sum = sum.saturating_add(paid_for(line, *quantity));
    }
    Ok(sum)
}

/// What was paid for units of a line, rounded down; for all of them, all that was paid.
fn paid_for(line: &Line, quantity: i64) -> i64 {
    let Some(paid) = line.paid else { return line.unit_price.amount.saturating_mul(quantity) };
    let part = i128::from(paid.amount) * i128::from(quantity) / i128::from(line.quantity.max(1));
    i64::try_from(part).unwrap_or(i64::MAX)
}

/// Checks a refund and returns its amount.
fn decide(
    attempt: &Attempt,
    refund: &NewRefund,
    lines: &Lines,
    restocked: &BTreeMap<ItemId, i64>,
) -> Result<Money, PaymentsError> {
    let owed = attempt.details.as_ref().ok_or(PaymentsError::PaymentNotFound)?.amount;
    if let Some(reason) = &refund.reason {
        let mut fields = Fields::default();
        fields.text("reason", reason, 0..=500, LineBreaks::Allowed);
        fields.finish().map_err(|fields| PaymentsError::InvalidRefund { fields })?;
    }
    match refund.amount {
        Some(amount) if amount.amount <= 0 => {
            return Err(invalid(Detail::new("amount.amount", DetailCode::Range, "must be above 0").with("min", 1)));
        }
        Some(amount) if amount.currency != owed.currency => {
            let detail = Detail::new("amount.currency", DetailCode::OneOf, "must be the currency of the payment");
            return Err(invalid(detail.with("allowed", vec![owed.currency.code()])));
        }
        _ => {}
    }
    if !matches!(attempt.status, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded) {
        return Err(PaymentsError::NotRefundable { status: attempt.status.as_str().into() });
    }
    let left = Money::new(attempt.left(), owed.currency);
    let restock = refund.restock.unwrap_or_default();
    let price = match (&refund.items, lines) {
        (Some(items), Some(lines)) => Money::new(price(items, restock, lines, restocked)?, owed.currency),
        _ => left,
    };
    let amount = refund.amount.unwrap_or(price);
    // Disputed amounts and refunds in flight are not deducted: the shop may still keep either.
    let kept = attempt.captured - attempt.returned();
    if refund.items.is_none() && restock && amount.amount < kept {
        let message = "requires items if only part of the amount is refunded";
        return Err(invalid(Detail::new("restock", DetailCode::Conflict, message)));
    }
    if amount.amount <= 0 || amount.amount > left.amount {
        return Err(PaymentsError::RefundTooLarge { left });
    }
    Ok(amount)
}

/// The lines of an order, read from orders.
async fn lines(cx: &Context, order_id: OrderId) -> QueryResult<BTreeMap<ItemId, Line>, PaymentsError> {
    match cx.ask(&GetLines { order_id }).await {
        Ok(found) => Ok(found.lines.into_iter().map(|line| (line.line_id, line)).collect()),
        Err(CallError::Rejected(OrdersError::OrderNotFound)) => Err(PaymentsError::OrderNotFound.into()),
        Err(error) => Err(InternalError::from(error).into()),
    }
}

impl Prepare<RefundPayment> for Payments {
    type Prepared = Lines;

    async fn prepare(&self, cx: &Context, command: &RefundPayment) -> Result<Lines, PrepareError<PaymentsError>> {
        if command.refund.items.is_none() {
            return Ok(None);
        }
        let row = store::find(cx.reads(), command.payment_id).await?.ok_or(PaymentsError::PaymentNotFound)?;
        Ok(Some(lines(cx, row.order_id).await?))
    }
}

impl Handle<RefundPayment, Lines> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<RefundPayment, Lines>,
    ) -> HandlerResult<Refund, PaymentsError> {
        let RefundPayment { payment_id, refund } = &command.message;
        let found = store::of_provider(tx.reads(), &payment_id.to_string()).await?;
        let key = found.ok_or(PaymentsError::PaymentNotFound)?;
        let mut locked = Transitions::lock(Ledger::new(self.provider(), Some(refund)), tx, [key]).await?;
        let attempt = locked.get(key).map(|row| &row.attempt).ok_or(PaymentsError::PaymentNotFound)?;
        let restocked = store::restocked(tx.reads(), key.0).await?;
        let amount = decide(attempt, refund, &command.prepared, &restocked)?;
        let refund_id = RefundId::new();
        let fact = Fact::RefundRequested { id: refund_id, amount: amount.amount };
        locked.apply(key, fact, &command.cause);
        locked.save(tx).await?;
        tx.flush().await?;
        Ok(store::load_refund(tx.reads(), refund_id).await?.ok_or(PaymentsError::PaymentNotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use subjects::Currency;

    use super::*;
    use crate::machine::Details;

    fn usd(amount: i64) -> Money {
        Money::new(amount, Currency::USD)
    }

    fn paid(status: PaymentStatus, refunded: i64, refunding: i64) -> Attempt {
        let details = Details { order_number: "SK-1".into(), user_id: None, amount: usd(100) };
        Attempt { status, details: Some(details), captured: 100, refunded, refunding, ..Attempt::default() }
    }

    fn judge(attempt: &Attempt, refund: &NewRefund) -> Result<Money, PaymentsError> {
        decide(attempt, refund, &None, &BTreeMap::new())
    }

    fn line_id() -> ItemId {
        ItemId(uuid::Uuid::from_u128(1))
    }

    /// A refund of `quantity` units of the only line: three units at 20, two of them returnable.
    fn of_line(quantity: i64, restock: bool, restocked: i64) -> Result<Money, PaymentsError> {
        let line = Line { line_id: line_id(), unit_price: usd(20), quantity: 3, paid: None, returnable: 2 };
        let items = Some(vec![RefundItem { line_id: line_id(), quantity }]);
        let refund = NewRefund { items, restock: Some(restock), ..NewRefund::default() };
        let lines = Some(BTreeMap::from([(line_id(), line)]));
        decide(&paid(PaymentStatus::Succeeded, 0, 0), &refund, &lines, &BTreeMap::from([(line_id(), restocked)]))
    }

    #[test]
    fn lines_have_a_price_and_no_unit_returns_twice() {
        assert_eq!(of_line(3, false, 3), Ok(usd(60)), "money only");
        assert_eq!(of_line(2, true, 0), Ok(usd(40)));
        assert_eq!(of_line(1, true, 2), Ok(usd(20)));
        let too_many = |left| Err(PaymentsError::ReturnTooLarge { line_id: line_id(), left });
        assert_eq!(of_line(3, true, 0), too_many(2));
        assert_eq!(of_line(1, true, 3), too_many(0));
        for quantity in [0, -1, 4] {
            assert!(matches!(of_line(quantity, false, 0), Err(PaymentsError::InvalidRefund { .. })), "{quantity}");
        }
    }

    #[test]
    fn units_go_back_for_what_was_paid_for_them() {
        let line = Line { line_id: line_id(), unit_price: usd(20), quantity: 3, paid: Some(usd(50)), returnable: 3 };
        assert_eq!([paid_for(&line, 1), paid_for(&line, 2), paid_for(&line, 3)], [16, 33, 50], "with a discount");
        let gift = Line { paid: Some(usd(0)), ..line };
        assert_eq!(paid_for(&gift, 3), 0);
    }

    #[test]
    fn goods_return_with_all_of_the_money_or_by_their_lines() {
        let state = paid(PaymentStatus::PartiallyRefunded, 30, 0);
        let restock = |amount| judge(&state, &NewRefund { restock: Some(true), ..ask(amount) });
        assert_eq!(restock(None), Ok(usd(70)));
        assert_eq!(restock(Some(usd(70))), Ok(usd(70)));
        assert!(matches!(
            restock(Some(usd(69))),
            Err(PaymentsError::InvalidRefund { fields }) if fields[0].field == "restock"
        ));
        assert_eq!(judge(&state, &NewRefund { restock: Some(false), ..ask(Some(usd(69))) }), Ok(usd(69)));
        // The refund in flight may fail: all units would be restocked without a full refund.
        let state = paid(PaymentStatus::Succeeded, 0, 30);
        let all_that_is_left = judge(&state, &NewRefund { restock: Some(true), ..ask(None) });
        assert!(matches!(all_that_is_left, Err(PaymentsError::InvalidRefund { .. })), "{all_that_is_left:?}");
        assert_eq!(judge(&state, &ask(None)), Ok(usd(70)));
    }

    #[test]
    fn nothing_is_left_once_all_money_has_gone_back_or_is_on_its_way() {
        assert!(paid(PaymentStatus::Refunded, 100, 0).leaves_nothing());
        assert!(paid(PaymentStatus::PartiallyRefunded, 30, 70).leaves_nothing());
        assert!(!paid(PaymentStatus::PartiallyRefunded, 30, 60).leaves_nothing());
        assert!(!Attempt::default().leaves_nothing(), "nothing was paid");
    }

    fn ask(amount: Option<Money>) -> NewRefund {
        NewRefund { amount, ..NewRefund::default() }
    }

    #[test]
    fn without_an_amount_all_that_is_left_goes_back() {
        assert_eq!(judge(&paid(PaymentStatus::Succeeded, 0, 0), &ask(None)), Ok(usd(100)));
        assert_eq!(judge(&paid(PaymentStatus::PartiallyRefunded, 30, 20), &ask(None)), Ok(usd(50)));
    }

    #[test]
    fn a_refund_above_the_remainder_is_rejected_and_refunds_in_flight_are_deducted() {
        let state = paid(PaymentStatus::PartiallyRefunded, 30, 20);
        assert_eq!(judge(&state, &ask(Some(usd(50)))), Ok(usd(50)));
        assert_eq!(judge(&state, &ask(Some(usd(51)))), Err(PaymentsError::RefundTooLarge { left: usd(50) }));
        let nothing_left = paid(PaymentStatus::Succeeded, 0, 100);
        assert_eq!(judge(&nothing_left, &ask(None)), Err(PaymentsError::RefundTooLarge { left: usd(0) }));
    }

    #[test]
    fn only_money_that_came_goes_back() {
        for &status in PaymentStatus::ALL {
            let may = matches!(status, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded);
            let rejected = Err(PaymentsError::NotRefundable { status: status.as_str().into() });
            assert_eq!(judge(&paid(status, 0, 0), &ask(Some(usd(1)))) == rejected, !may, "{status:?}");
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        let state = paid(PaymentStatus::Succeeded, 0, 0);
        let field = |refund: &NewRefund| match judge(&state, refund) {
            Err(PaymentsError::InvalidRefund { fields }) => fields[0].field.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(field(&ask(Some(usd(0)))), "amount.amount");
        assert_eq!(field(&ask(Some(Money::new(1, Currency::EUR)))), "amount.currency");
        assert_eq!(field(&NewRefund { reason: Some("\0".into()), ..NewRefund::default() }), "reason");
        assert_eq!(field(&NewRefund { reason: Some("x".repeat(501)), ..NewRefund::default() }), "reason");
    }
}
