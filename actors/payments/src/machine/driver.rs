//! Applies a batch of inputs to payments: writes rows, events and effects with a constant number of statements,
//! whatever the number of payments.

use std::collections::BTreeMap;

use contract::ServiceError;
use runtime::{Cause, InternalError, Machine, Transition, Transitions, Tx};
use subjects::{
    Money, OrderId, PaymentId, RefundId,
    orders::{Failure, PaymentStatus},
    payments as messages,
};

use crate::{
    Payments,
    effects::{CancelObject, Charge, Confirm, RefundMoney},
    ids::automatic_refund_of,
    machine::{Act, Details, Fact, Step, step},
    provider::Provider,
    store::{self, Goods, NewRefund, RefundEnd, Row},
    terms::Terms,
};

/// A payment and its order. The payment's id is derived from the order's, so an order has one payment.
pub(crate) type Key = (PaymentId, OrderId);

impl Payments {
    /// Locks payments. An unknown payment has the default state.
    pub(crate) async fn lock<'a>(
        &'a self,
        tx: &mut Tx<'_>,
        keys: impl IntoIterator<Item = Key>,
    ) -> Result<Transitions<'a, Ledger<'a>>, InternalError> {
        Transitions::lock(Ledger::new(self.provider(), None), tx, keys).await
    }

    /// Locks payments, applies the inputs and saves the results.
    pub(crate) async fn advance(&self, tx: &mut Tx<'_>, inputs: Vec<(Key, Fact, &Cause)>) -> Result<(), InternalError> {
        let mut payments = self.lock(tx, inputs.iter().map(|(key, ..)| *key)).await?;
        for (key, fact, cause) in inputs {
            payments.apply(key, fact, cause);
        }
        payments.save(tx).await
    }
}

/// An action, with the payment's status and totals right after the input that caused it.
#[derive(Debug)]
pub(crate) struct Following {
    act: Act,
    status: PaymentStatus,
    refunded: i64,
    returned: i64,
}

/// What a batch writes besides the rows of its payments.
pub(crate) struct Ledger<'a> {
    provider: &'a dyn Provider,
    /// The refund that an admin requests.
    requested: Option<&'a messages::NewRefund>,
    refunds: Vec<NewRefund<'a>>,
    refund_ends: Vec<RefundEnd>,
    /// The lines of refunds, and whether their units are restocked.
    goods: BTreeMap<RefundId, Goods>,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(provider: &'a dyn Provider, requested: Option<&'a messages::NewRefund>) -> Self {
        let (refunds, refund_ends, goods) = Default::default();
        Self { provider, requested, refunds, refund_ends, goods }
    }

    /// The row of a new refund: one that an admin requests, or the automatic one.
    fn refund(&self, row: &Row, id: RefundId, amount: Money) -> NewRefund<'a> {
        let automatic = id == automatic_refund_of(row.id);
        let requested = self.requested.filter(|_| !automatic);
        NewRefund {
            id,
            payment_id: row.id,
            amount,
            reason: if automatic {
                Some("The order has ended.")
            } else {
                requested.and_then(|requested| requested.reason.as_deref())
            },
            items: requested.and_then(|requested| requested.items.as_deref()).unwrap_or_default(),
            restock: requested.and_then(|requested| requested.restock).unwrap_or_default(),
            automatic,
        }
    }
}

impl Machine for Ledger<'_> {
    type Key = Key;
    type Entity = Row;
    type Input = Fact;
    type Act = Following;

    async fn lock(&mut self, tx: &mut Tx<'_>, keys: &[Key]) -> Result<BTreeMap<Key, Row>, InternalError> {
        let ids: Vec<_> = keys.iter().map(|(id, _)| *id).collect();
        let mut known = store::lock(tx.locks(), &ids).await?;
        let refunding = known.values().filter(|row| row.attempt.refunding > 0);
        let refunding: Vec<_> = refunding.map(|row| row.id).collect();
        if !refunding.is_empty() {
            for (payment_id, refund_id, amount) in store::refunds_in_flight(tx.reads(), &refunding).await? {
                if let Some(row) = known.get_mut(&payment_id) {
                    row.attempt.in_flight.insert(refund_id, amount);
                }
            }
        }
        let row = |&(id, order_id): &Key| {
            let new = || Row::new(id, order_id);
            ((id, order_id), known.remove(&id).unwrap_or_else(new))
        };
        Ok(keys.iter().map(row).collect())
    }

    fn transition(&mut self, row: &mut Row, fact: Fact) -> Transition<Following> {
        let end = RefundEnd::of(&fact);
        let Step { next, acts } = step(&row.attempt, fact);
        if next == row.attempt && acts.is_empty() {
            return Transition::Stay;
        }
        self.refund_ends.extend(end);
        row.is_changed |= next != row.attempt || acts.iter().any(|act| event_name(act).is_some());
        row.attempt = next;
        let (status, refunded, returned) = (row.attempt.status, row.attempt.refunded, row.attempt.returned());
        Transition::Changed(acts.into_iter().map(|act| Following { act, status, refunded, returned }).collect())
    }

    async fn load(&mut self, tx: &mut Tx<'_>, acts: &[(Key, Following)]) -> Result<(), InternalError> {
        let refunded = acts.iter().filter_map(|(_, following)| match &following.act {
            Act::EmitRefunded { id, .. } => Some(*id),
            _ => None,
        });
        let refunded: Vec<_> = refunded.collect();
        if !refunded.is_empty() {
            self.goods = store::goods_of(tx.reads(), &refunded).await?;
        }
        Ok(())
    }

    fn act(
        &mut self,
        tx: &mut Tx<'_>,
        row: &mut Row,
        following: Following,
        cause: &Cause,
    ) -> Result<(), InternalError> {
        let (payment_id, order_id, status) = (row.id, row.order_id, following.status.as_str());
        let Cause { name, request_id, .. } = cause;
        match event_name(&following.act) {
            Some(event) => {
                tracing::info!(%payment_id, %order_id, status, event, cause = name, request_id, "payment changed");
            }
            None => {
                tracing::debug!(%payment_id, %order_id, status, cause = name, request_id, "provider request queued");
            }
        }
        match following.act {
            Act::EmitRefunded { id, amount } => {
                let goods = self.goods.remove(&id).unwrap_or_default();
                let event = refunded(row, id, amount, &following, goods)?;
                return tx.emit(cause, &mut row.version, &event);
            }
            Act::GiveBack { id, amount } => {
                let amount = Money::new(amount, known(row)?.amount.currency);
                self.refunds.push(self.refund(row, id, amount));
            }
            _ => {}
        }
        perform_act(tx, row, self.provider, &following, cause)
    }

    async fn save(&mut self, tx: &mut Tx<'_>, rows: &[&Row]) -> Result<(), InternalError> {
        let now = tx.now();
        let changed = rows.iter().filter(|row| row.is_changed);
        let (moved, new): (Vec<&Row>, Vec<&Row>) = changed.partition(|row| row.provider.is_some());
        if !new.is_empty() {
            let written = store::insert(tx.writes(), &new, self.provider.name(), now).await?;
            if written < new.len() as u64 {
                // A concurrent transaction has inserted a row: a retry finds it.
                return Err(ServiceError::unavailable(messages::DOMAIN).into());
            }
        }
        if !self.refunds.is_empty() {
            store::insert_refunds(tx.writes(), &self.refunds, now).await?;
        }
        if !self.refund_ends.is_empty() {
            store::end_refunds(tx.writes(), &self.refund_ends, now).await?;
        }
        if !moved.is_empty() {
            store::update(tx.last_writes(), &moved, now);
        }
        Ok(())
    }
}

fn event_name(act: &Act) -> Option<&'static str> {
    use contract::Event;
    match act {
        Act::EmitIntentCreated => Some(messages::IntentCreated::NAME),
        Act::EmitActionRequired => Some(messages::ActionRequired::NAME),
        Act::EmitSucceeded => Some(messages::Succeeded::NAME),
        Act::EmitFailed(_) => Some(messages::PaymentFailed::NAME),
        Act::EmitCancelled => Some(messages::PaymentCancelled::NAME),
        Act::EmitRefunded { .. } => Some(messages::Refunded::NAME),
        Act::EmitRefundFailed { .. } => Some(messages::RefundFailed::NAME),
        Act::EmitDisputed { .. } => Some(messages::Disputed::NAME),
        Act::EmitDisputeWon { .. } => Some(messages::DisputeWon::NAME),
        Act::EmitDisputeLost { .. } => Some(messages::DisputeLost::NAME),
        Act::Charge { .. } | Act::Confirm { .. } | Act::Cancel(_) | Act::GiveBack { .. } => None,
    }
}

fn perform_act(
    tx: &mut Tx<'_>,
    row: &mut Row,
    provider: &dyn Provider,
    following: &Following,
    cause: &Cause,
) -> Result<(), InternalError> {
    let (payment_id, order_id, entity) = (row.id, row.order_id, row.id.0);
    let terms = Terms::of(row, provider);
    match &following.act {
        Act::EmitIntentCreated => {
            let amount = known(row)?.amount;
            tx.emit(cause, &mut row.version, &messages::IntentCreated { payment_id, order_id, amount })?;
        }
        Act::EmitActionRequired => {
            tx.emit(cause, &mut row.version, &messages::ActionRequired { payment_id, order_id })?;
        }
        Act::EmitSucceeded => {
            let amount = known(row)?.amount;
            tx.emit(cause, &mut row.version, &messages::Succeeded { payment_id, order_id, amount })?;
        }
        Act::EmitFailed(failure) => {
            let (code, request_id) = (&failure.code, &cause.request_id);
            tracing::info!(%payment_id, %order_id, code, request_id, "payment failed");
            let failure = failure.clone();
            tx.emit(cause, &mut row.version, &messages::PaymentFailed { payment_id, order_id, failure })?;
        }
        Act::EmitCancelled => tx.emit(cause, &mut row.version, &messages::PaymentCancelled { payment_id, order_id })?,
        // Emitted by `Ledger::act`, which has the refund's lines.
        Act::EmitRefunded { .. } => {}
        Act::EmitRefundFailed { id, failure } => {
            tracing::error!(
                %payment_id,
                %order_id,
                refund_id = %id,
                code = failure.code,
                request_id = cause.request_id,
                "refund failed, manual action required"
            );
            let (refund_id, failure) = (*id, failure.clone());
            let total_returned = Some(Money::new(following.returned, known(row)?.amount.currency));
            let is_full = following.returned == row.attempt.captured;
            let event = messages::RefundFailed { payment_id, order_id, refund_id, failure, total_returned, is_full };
            tx.emit(cause, &mut row.version, &event)?;
        }
        Act::EmitDisputed { id } => {
            let (amount, reason) = disputed(row, id)?;
            tracing::warn!(
                %payment_id,
                %order_id,
                dispute_id = id,
                amount = amount.amount,
                request_id = cause.request_id,
                "payment disputed"
            );
            let dispute_id = id.clone();
            tx.emit(cause, &mut row.version, &messages::Disputed { payment_id, order_id, dispute_id, amount, reason })?;
        }
        Act::EmitDisputeWon { id } => {
            let (dispute_id, (amount, _)) = (id.clone(), disputed(row, id)?);
            tx.emit(cause, &mut row.version, &messages::DisputeWon { payment_id, order_id, dispute_id, amount })?;
        }
        Act::EmitDisputeLost { id } => {
            let (dispute_id, (amount, _)) = (id.clone(), disputed(row, id)?);
            let total_returned = Money::new(following.returned, amount.currency);
            let is_full = following.returned == row.attempt.captured;
            let event = messages::DisputeLost { payment_id, order_id, dispute_id, amount, total_returned, is_full };
            tx.emit(cause, &mut row.version, &event)?;
        }
        Act::Charge { method } => {
            let Details { order_number, user_id, amount } = known(row)?.clone();
            let method = method.clone();
            let effect = Charge { payment_id, order_id, order_number, user_id, amount, method, terms };
            tx.effect(cause, entity, &effect)?;
        }
        Act::Confirm { object, method } => {
            let (object, method) = (object.clone(), method.clone());
            tx.effect(cause, entity, &Confirm { payment_id, order_id, object, method, terms })?;
        }
        Act::Cancel(object) => {
            tx.effect(cause, entity, &CancelObject { payment_id, order_id, object: object.clone(), terms })?;
        }
        Act::GiveBack { id, amount } => {
            let refund_id = *id;
            let amount = Money::new(*amount, known(row)?.amount.currency);
            let object = row
                .attempt
                .object
                .clone()
                .ok_or_else(|| InternalError::other("a capture without a provider object"))?;
            tx.effect(cause, entity, &RefundMoney { payment_id, order_id, refund_id, object, amount, terms })?;
        }
    }
    Ok(())
}

fn known(row: &Row) -> Result<&Details, InternalError> {
    row.attempt.details.as_ref().ok_or_else(|| InternalError::other("the amount due is not known"))
}

fn disputed(row: &Row, id: &str) -> Result<(Money, Option<String>), InternalError> {
    let dispute = row.attempt.disputes.get(id).ok_or_else(|| InternalError::other("an unknown dispute"))?;
    Ok((Money::new(dispute.amount, known(row)?.amount.currency), dispute.reason.clone()))
}

fn refunded(
    row: &Row,
    refund_id: RefundId,
    amount: i64,
    following: &Following,
    goods: Goods,
) -> Result<messages::Refunded, InternalError> {
    let currency = known(row)?.amount.currency;
    Ok(messages::Refunded {
        payment_id: row.id,
        order_id: row.order_id,
        refund_id,
        amount: Money::new(amount, currency),
        total_refunded: Money::new(following.refunded, currency),
        is_full: following.returned == row.attempt.captured,
        items: goods.items,
        restock: goods.restock,
    })
}

impl RefundEnd {
    /// The end of a refund, if the input is one.
    fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::RefundDone { id, provider_id, .. } => {
                Some(Self { id: *id, provider_refund_id: Some(provider_id.clone()), failure: None })
            }
            Fact::RefundDeclined { id, failure, .. } | Fact::RefundReversed { id, failure, .. } => {
                let failure: Failure = failure.clone();
                Some(Self { id: *id, provider_refund_id: None, failure: Some(failure) })
            }
            _ => None,
        }
    }
}
