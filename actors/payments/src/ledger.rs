//! Moves payments on: facts about a whole batch of payments become rows, events and effects, with a constant number of
//! statements.

use std::collections::{BTreeMap, BTreeSet};

use contract::Fault;
use runtime::{Breakage, Cause, Tx, Version};
use subjects::{
    Money, OrderId, PaymentId, RefundId,
    orders::Failure,
    payments::{self as messages},
};

use crate::{
    effects::{CancelObject, Confirm, CreateObject, RefundMoney},
    ids::automatic_refund_of,
    provider::Provider,
    store::{self, Goods, NewRefund, RefundEnd, Row},
    story::{Act, Attempt, Details, Fact, step},
    terms::Terms,
};

/// A fact about a payment, and what brought it.
pub(crate) struct News<'a> {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub fact: Fact,
    pub cause: &'a Cause,
}

/// Locks the payments, decides by the table and writes what follows.
pub(crate) async fn advance(tx: &mut Tx<'_>, provider: &dyn Provider, news: Vec<News<'_>>) -> Result<(), Breakage> {
    let mut ledger = Ledger::lock(tx, news.iter().map(|one| (one.payment_id, one.order_id))).await?;
    for News { payment_id, fact, cause, .. } in news {
        ledger.apply(payment_id, fact, cause, None);
    }
    ledger.write(tx, provider).await
}

/// One thing that follows.
struct Due<'a> {
    payment_id: PaymentId,
    /// Of the payment after the fact.
    refunded: i64,
    returned: i64,
    act: Act,
    cause: &'a Cause,
}

/// Payments under lock, and what happened to them before it is written.
pub(crate) struct Ledger<'a> {
    rows: BTreeMap<PaymentId, Row>,
    known: BTreeSet<PaymentId>,
    changed: BTreeSet<PaymentId>,
    acts: Vec<Due<'a>>,
    refunds: Vec<NewRefund<'a>>,
    refund_ends: Vec<RefundEnd>,
}

impl<'a> Ledger<'a> {
    /// Locks payments, in the order of their ids. One of which nobody has heard stands at its beginning.
    pub(crate) async fn lock(
        tx: &mut Tx<'_>,
        ids: impl Iterator<Item = (PaymentId, OrderId)>,
    ) -> Result<Self, Breakage> {
        let ids: BTreeMap<PaymentId, OrderId> = ids.collect();
        let keys: Vec<_> = ids.keys().map(|id| id.0).collect();
        let mut rows = store::lock(tx.locks(), &keys).await?;
        let known = rows.keys().copied().collect();
        for (id, order_id) in ids {
            let new = || Row { id, order_id, attempt: Attempt::default(), provider: None, version: Version::default() };
            rows.entry(id).or_insert_with(new);
        }
        let (changed, acts, refunds, refund_ends) = Default::default();
        Ok(Self { rows, known, changed, acts, refunds, refund_ends })
    }

    /// Where a payment stands.
    pub(crate) fn row(&self, id: PaymentId) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// Takes a payment where the table says.
    pub(crate) fn apply(
        &mut self,
        id: PaymentId,
        fact: Fact,
        cause: &'a Cause,
        asked: Option<&'a messages::NewRefund>,
    ) {
        let Some(row) = self.rows.get_mut(&id) else { return };
        if let Some(end) = RefundEnd::of(&fact) {
            self.refund_ends.push(end);
        }
        let after = step(&row.attempt, fact);
        if after.next != row.attempt {
            self.changed.insert(id);
        }
        row.attempt = after.next;
        for act in after.acts {
            let status = row.attempt.status.word();
            if let Some(event) = event_name(&act) {
                // Its version changes, whatever else does.
                self.changed.insert(id);
                tracing::info!(payment_id = %id, order_id = %row.order_id, status, event, cause = cause.name, "payment moved");
            } else {
                tracing::debug!(payment_id = %id, order_id = %row.order_id, status, cause = cause.name, "provider to be asked");
            }
            if let (Act::GiveBack { id: own, amount }, Some(details)) = (&act, &row.attempt.details) {
                let asked = asked.filter(|_| own.is_some());
                let reason = asked.and_then(|asked| asked.reason.as_deref());
                self.refunds.push(NewRefund {
                    id: own.unwrap_or_else(|| automatic_refund_of(id)),
                    payment_id: id,
                    amount: Money::new(*amount, details.amount.currency),
                    reason: if own.is_some() { reason } else { Some("The order is over.") },
                    items: asked.and_then(|asked| asked.items.as_deref()).unwrap_or_default(),
                    restock: asked.and_then(|asked| asked.restock).unwrap_or_default(),
                    automatic: own.is_none(),
                });
            }
            let (refunded, returned) = (row.attempt.refunded, row.attempt.returned());
            self.acts.push(Due { payment_id: id, refunded, returned, act, cause });
        }
    }

    /// Emits the events, leaves the effects, and writes rows and refunds.
    pub(crate) async fn write(mut self, tx: &mut Tx<'_>, provider: &dyn Provider) -> Result<(), Breakage> {
        let mut goods = self.goods(tx).await?;
        for due in &self.acts {
            let Some(row) = self.rows.get_mut(&due.payment_id) else { continue };
            match &due.act {
                Act::TellRefunded { id, amount } => {
                    let event = refunded(row, *id, *amount, due, goods.remove(id).unwrap_or_default())?;
                    tx.emit(due.cause, &mut row.version, &event)?;
                }
                _ => carry_out(tx, row, provider, due)?,
            }
        }
        let now = tx.now();
        let changed = |is_known: bool| -> Vec<&Row> {
            let ids = self.changed.iter().filter(|id| self.known.contains(*id) == is_known);
            ids.filter_map(|id| self.rows.get(id)).collect()
        };
        let (new, moved) = (changed(false), changed(true));
        if !new.is_empty() {
            let written = store::insert(tx.writes(), &new, provider.name(), now).await?;
            if written < new.len() as u64 {
                // Somebody else was first to hear of it: run again, and find their row.
                return Err(Fault::unavailable(messages::DOMAIN).into());
            }
        }
        if !moved.is_empty() {
            store::update(tx.writes(), &moved, now).await?;
        }
        if !self.refunds.is_empty() {
            store::insert_refunds(tx.writes(), &self.refunds, now).await?;
        }
        if !self.refund_ends.is_empty() {
            store::end_refunds(tx.writes(), &self.refund_ends, now).await?;
        }
        Ok(())
    }

    /// What the refunds whose events are emitted return to the shelf.
    async fn goods(&self, tx: &mut Tx<'_>) -> Result<BTreeMap<RefundId, Goods>, Breakage> {
        let told = self.acts.iter().filter_map(|due| match &due.act {
            Act::TellRefunded { id, .. } => Some(id.0),
            _ => None,
        });
        let ids: Vec<_> = told.collect();
        if ids.is_empty() { Ok(BTreeMap::new()) } else { store::goods_of(tx.reads(), &ids).await }
    }
}

fn event_name(act: &Act) -> Option<&'static str> {
    use contract::Event;
    match act {
        Act::TellIntentCreated => Some(messages::IntentCreated::NAME),
        Act::TellActionRequired => Some(messages::ActionRequired::NAME),
        Act::TellSucceeded => Some(messages::Succeeded::NAME),
        Act::TellFailed(_) => Some(messages::PaymentFailed::NAME),
        Act::TellCancelled => Some(messages::PaymentCancelled::NAME),
        Act::TellRefunded { .. } => Some(messages::Refunded::NAME),
        Act::TellRefundFailed { .. } => Some(messages::RefundFailed::NAME),
        Act::TellDisputed { .. } => Some(messages::Disputed::NAME),
        Act::TellDisputeWon { .. } => Some(messages::DisputeWon::NAME),
        Act::TellDisputeLost { .. } => Some(messages::DisputeLost::NAME),
        Act::Create | Act::Confirm { .. } | Act::Cancel(_) | Act::GiveBack { .. } => None,
    }
}

fn carry_out(tx: &mut Tx<'_>, row: &mut Row, provider: &dyn Provider, due: &Due<'_>) -> Result<(), Breakage> {
    let (payment_id, order_id, entity) = (row.id, row.order_id, row.id.0);
    let terms = Terms::of(row, provider);
    let cause = due.cause;
    match &due.act {
        Act::TellIntentCreated => {
            let amount = known(row)?.amount;
            tx.emit(cause, &mut row.version, &messages::IntentCreated { payment_id, order_id, amount })?;
        }
        Act::TellActionRequired => {
            tx.emit(cause, &mut row.version, &messages::ActionRequired { payment_id, order_id })?;
        }
        Act::TellSucceeded => {
            let amount = known(row)?.amount;
            tx.emit(cause, &mut row.version, &messages::Succeeded { payment_id, order_id, amount })?;
        }
        Act::TellFailed(failure) => {
            let failure = failure.clone();
            tx.emit(cause, &mut row.version, &messages::PaymentFailed { payment_id, order_id, failure })?;
        }
        Act::TellCancelled => tx.emit(cause, &mut row.version, &messages::PaymentCancelled { payment_id, order_id })?,
        // With what it was for.
        Act::TellRefunded { .. } => {}
        Act::TellRefundFailed { id, failure } => {
            tracing::error!(%payment_id, %order_id, refund_id = %id, code = failure.code, "a refund failed: a person must look");
            let (refund_id, failure) = (*id, failure.clone());
            let total_returned = Some(Money::new(due.returned, known(row)?.amount.currency));
            let is_full = due.returned == row.attempt.captured;
            let event = messages::RefundFailed { payment_id, order_id, refund_id, failure, total_returned, is_full };
            tx.emit(cause, &mut row.version, &event)?;
        }
        Act::TellDisputed { id } => {
            let (amount, reason) = disputed(row, id)?;
            tracing::warn!(%payment_id, %order_id, dispute_id = id, amount = amount.amount, "payment disputed");
            let dispute_id = id.clone();
            tx.emit(cause, &mut row.version, &messages::Disputed { payment_id, order_id, dispute_id, amount, reason })?;
        }
        Act::TellDisputeWon { id } => {
            let (dispute_id, (amount, _)) = (id.clone(), disputed(row, id)?);
            tx.emit(cause, &mut row.version, &messages::DisputeWon { payment_id, order_id, dispute_id, amount })?;
        }
        Act::TellDisputeLost { id } => {
            let (dispute_id, (amount, _)) = (id.clone(), disputed(row, id)?);
            let total_returned = Money::new(due.returned, amount.currency);
            let is_full = due.returned == row.attempt.captured;
            let event = messages::DisputeLost { payment_id, order_id, dispute_id, amount, total_returned, is_full };
            tx.emit(cause, &mut row.version, &event)?;
        }
        Act::Create => {
            let details = known(row)?.clone();
            let Details { order_number, user_id, amount } = details;
            tx.effect(cause, entity, &CreateObject { payment_id, order_id, order_number, user_id, amount, terms })?;
        }
        Act::Confirm { object, method } => {
            let (object, method) = (object.clone(), method.clone());
            tx.effect(cause, entity, &Confirm { payment_id, order_id, object, method, terms })?;
        }
        Act::Cancel(object) => {
            tx.effect(cause, entity, &CancelObject { payment_id, order_id, object: object.clone(), terms })?;
        }
        Act::GiveBack { id, amount } => {
            let refund_id = id.unwrap_or_else(|| automatic_refund_of(payment_id));
            let amount = Money::new(*amount, known(row)?.amount.currency);
            let object = row.attempt.object.clone().ok_or_else(|| Breakage::other("money without an object"))?;
            tx.effect(cause, entity, &RefundMoney { payment_id, order_id, refund_id, object, amount, terms })?;
        }
    }
    Ok(())
}

fn known(row: &Row) -> Result<&Details, Breakage> {
    row.attempt.details.as_ref().ok_or_else(|| Breakage::other("nothing is known of what is owed"))
}

fn disputed(row: &Row, id: &str) -> Result<(Money, Option<String>), Breakage> {
    let dispute = row.attempt.disputes.get(id).ok_or_else(|| Breakage::other("a dispute that is not known"))?;
    Ok((Money::new(dispute.amount, known(row)?.amount.currency), dispute.reason.clone()))
}

fn refunded(
    row: &Row,
    refund_id: RefundId,
    amount: i64,
    due: &Due<'_>,
    goods: Goods,
) -> Result<messages::Refunded, Breakage> {
    let currency = known(row)?.amount.currency;
    Ok(messages::Refunded {
        payment_id: row.id,
        order_id: row.order_id,
        refund_id,
        amount: Money::new(amount, currency),
        total_refunded: Money::new(due.refunded, currency),
        is_full: due.returned == row.attempt.captured,
        items: goods.items,
        restock: goods.restock,
    })
}

impl RefundEnd {
    /// How a refund ended, where the fact says so.
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
