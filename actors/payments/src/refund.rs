//! An admin gives money back, all that is left or a part of it.

use runtime::{Commanded, Handle, Handled, Tx};
use subjects::{
    Money, RefundId,
    orders::PaymentStatus,
    payments::{NewRefund, PaymentsError, Refund, RefundPayment},
};

use crate::{
    Payments,
    fields::wrong_reason,
    ledger::Ledger,
    store,
    story::{Attempt, Fact},
};

fn invalid(field: &str, problem: &str) -> PaymentsError {
    PaymentsError::InvalidRefund { fields: vec![(field.into(), problem.into())] }
}

/// How much goes back.
fn decide(attempt: &Attempt, refund: &NewRefund) -> Result<Money, PaymentsError> {
    let owed = attempt.details.as_ref().ok_or(PaymentsError::PaymentNotFound)?.amount;
    if let Some(problem) = refund.reason.as_deref().and_then(wrong_reason) {
        return Err(invalid("reason", problem));
    }
    match refund.amount {
        Some(amount) if amount.amount <= 0 => return Err(invalid("amount.amount", "must be above 0")),
        Some(amount) if amount.currency != owed.currency => {
            return Err(invalid("amount.currency", "must be the currency of the payment"));
        }
        _ => {}
    }
    if !matches!(attempt.status, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded) {
        return Err(PaymentsError::NotRefundable { status: attempt.status.word().into() });
    }
    let left = Money::new(attempt.left(), owed.currency);
    let amount = refund.amount.unwrap_or(left);
    if amount.amount <= 0 || amount.amount > left.amount {
        return Err(PaymentsError::RefundTooLarge { left });
    }
    Ok(amount)
}

impl Handle<RefundPayment> for Payments {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<RefundPayment>) -> Handled<Refund, PaymentsError> {
        let RefundPayment { payment_id, refund } = &command.message;
        let found = store::of_provider(tx.read(), &payment_id.to_string()).await?;
        let (id, order_id) = found.ok_or(PaymentsError::PaymentNotFound)?;
        let mut ledger = Ledger::lock(tx, [(id, order_id)].into_iter()).await?;
        let attempt = ledger.row(id).map(|row| &row.attempt).ok_or(PaymentsError::PaymentNotFound)?;
        let amount = decide(attempt, refund)?;
        let refund_id = RefundId::new();
        let fact = Fact::RefundAsked { id: refund_id, amount: amount.amount };
        ledger.apply(id, fact, &command.cause, refund.reason.as_deref());
        ledger.write(tx, self.provider()).await?;
        Ok(store::load_refund(tx.read(), refund_id).await?.ok_or(PaymentsError::PaymentNotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use subjects::Currency;

    use super::*;
    use crate::story::Details;

    fn usd(amount: i64) -> Money {
        Money::new(amount, Currency::USD)
    }

    fn paid(status: PaymentStatus, refunded: i64, refunding: i64) -> Attempt {
        let details = Details { order_number: "SK-1".into(), user_id: None, amount: usd(100) };
        Attempt { status, details: Some(details), captured: 100, refunded, refunding, ..Attempt::default() }
    }

    fn ask(amount: Option<Money>) -> NewRefund {
        NewRefund { amount, reason: None }
    }

    #[test]
    fn without_an_amount_all_that_is_left_goes_back() {
        assert_eq!(decide(&paid(PaymentStatus::Succeeded, 0, 0), &ask(None)), Ok(usd(100)));
        assert_eq!(decide(&paid(PaymentStatus::PartiallyRefunded, 30, 20), &ask(None)), Ok(usd(50)));
    }

    #[test]
    fn above_what_is_left_is_refused_and_what_is_on_its_way_is_not_left() {
        let state = paid(PaymentStatus::PartiallyRefunded, 30, 20);
        assert_eq!(decide(&state, &ask(Some(usd(50)))), Ok(usd(50)));
        assert_eq!(decide(&state, &ask(Some(usd(51)))), Err(PaymentsError::RefundTooLarge { left: usd(50) }));
        let nothing_left = paid(PaymentStatus::Succeeded, 0, 100);
        assert_eq!(decide(&nothing_left, &ask(None)), Err(PaymentsError::RefundTooLarge { left: usd(0) }));
    }

    #[test]
    fn only_money_that_came_goes_back() {
        for &status in PaymentStatus::ALL {
            let may = matches!(status, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded);
            let refused = Err(PaymentsError::NotRefundable { status: status.word().into() });
            assert_eq!(decide(&paid(status, 0, 0), &ask(Some(usd(1)))) == refused, !may, "{status:?}");
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        let state = paid(PaymentStatus::Succeeded, 0, 0);
        let field = |refund: &NewRefund| match decide(&state, refund) {
            Err(PaymentsError::InvalidRefund { fields }) => fields[0].0.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(field(&ask(Some(usd(0)))), "amount.amount");
        assert_eq!(field(&ask(Some(Money::new(1, Currency::EUR)))), "amount.currency");
        assert_eq!(field(&NewRefund { amount: None, reason: Some("\0".into()) }), "reason");
        assert_eq!(field(&NewRefund { amount: None, reason: Some("x".repeat(501)) }), "reason");
    }
}
