//! Applies a batch of inputs to orders: writes rows, history and events with a constant number of statements, whatever
//! the number of orders.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{Cause, InternalError, Machine, Transition, Tx};
use subjects::{CartId, OrderId, inventory::Units, orders as messages};

use crate::{
    machine::{Emitted, Fact, OrderState, step},
    store::{self, Locked},
};

/// What a batch reads and writes besides the rows of its orders.
#[derive(Debug, Default)]
pub(crate) struct Moving<'a> {
    cancel_reason: Option<&'a str>,
    /// The units of orders that the batch confirms.
    units: BTreeMap<OrderId, Vec<Units>>,
    /// The lines of orders of which units are restocked.
    lines: Vec<store::Returnable>,
    history: Vec<store::Entry>,
    /// Carts whose orders the batch confirms.
    confirmed: BTreeSet<(CartId, OrderId)>,
    /// Carts whose orders the batch ends as failed, cancelled or expired.
    ended: BTreeSet<(CartId, OrderId)>,
}

impl<'a> Moving<'a> {
    /// For an order that a command cancels, with the reason.
    pub(crate) fn cancelled(reason: Option<&'a str>) -> Self {
        Self { cancel_reason: reason, ..Self::default() }
    }
}

impl Machine for Moving<'_> {
    type Key = OrderId;
    type Entity = Locked;
    type Input = Fact;
    type Act = (Emitted, OrderState);

    async fn lock(&mut self, tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<BTreeMap<OrderId, Locked>, InternalError> {
        store::lock(tx.locks(), ids).await
    }

    fn transition(&mut self, order: &mut Locked, fact: Fact) -> Transition<Self::Act> {
        step(&mut order.state, fact)
    }

    async fn load(&mut self, tx: &mut Tx<'_>, acts: &[(OrderId, Self::Act)]) -> Result<(), InternalError> {
        let of = |pick: fn(&Emitted) -> bool| -> Vec<_> {
            acts.iter().filter(|(_, (emitted, _))| pick(emitted)).map(|(id, _)| *id).collect()
        };
        let confirmed = of(|emitted| *emitted == Emitted::Confirmed);
        if !confirmed.is_empty() {
            self.units = store::units_of(tx.reads(), &confirmed).await?;
        }
        let returned = of(|emitted| matches!(emitted, Emitted::Returned(_)));
        if !returned.is_empty() {
            self.lines = store::returnable(tx.reads(), &returned).await?;
        }
        Ok(())
    }

    fn act(&mut self, tx: &mut Tx<'_>, order: &mut Locked, act: Self::Act, cause: &Cause) -> Result<(), InternalError> {
        let (order_id, (emitted, state)) = (order.id, &act);
        let units = match emitted {
            Emitted::Confirmed => self.units.remove(&order_id).unwrap_or_default(),
            Emitted::Returned(returns) => {
                let lines = self.lines.iter_mut().filter(|line| line.order_id == order_id);
                lines.filter_map(|line| line.give(returns)).collect()
            }
            _ => Vec::new(),
        };
        emit(tx, order, &act, units, cause)?;
        let (version, event) = (order.version, emitted.name());
        tracing::info!(
            %order_id,
            %version,
            status = state.status.as_str(),
            event,
            cause = cause.name,
            request_id = cause.request_id,
            "order changed"
        );
        let (status, payment, cause) = (state.status, state.payment, cause.name.clone());
        self.history.push(store::Entry { order_id, version, event, status, payment, cause });
        match (emitted, order.cart_id) {
            (Emitted::Confirmed, Some(cart)) => {
                self.confirmed.insert((cart, order_id));
            }
            (Emitted::Failed(_) | Emitted::Cancelled(_) | Emitted::Expired, Some(cart)) => {
                self.ended.insert((cart, order_id));
            }
            _ => {}
        }
        if let (Emitted::Failed(failure), _) = act {
            order.failure = Some(failure);
        }
        Ok(())
    }

    async fn save(&mut self, tx: &mut Tx<'_>, moved: &[&Locked]) -> Result<(), InternalError> {
        let now = tx.now();
        if !self.lines.is_empty() {
            store::set_returned(tx.writes(), &self.lines).await?;
        }
        store::update(tx.last_writes(), moved, self.cancel_reason, now);
        if !self.history.is_empty() {
            store::insert_history(tx.last_writes(), &self.history, now);
        }
        store::leave_carts(tx.last_writes(), &self.confirmed, &self.ended);
        Ok(())
    }
}

impl Emitted {
    /// The name of the emitted event.
    pub(crate) fn name(&self) -> &'static str {
        use contract::Event;
        match self {
            Self::PaymentDue => messages::PaymentDue::NAME,
            Self::Confirmed => messages::Confirmed::NAME,
            Self::Failed(_) => messages::Failed::NAME,
            Self::Cancelled(_) => messages::Cancelled::NAME,
            Self::ExpiryDue => messages::ExpiryDue::NAME,
            Self::Expired => messages::Expired::NAME,
            Self::RefundDue => messages::RefundDue::NAME,
            Self::StatusChanged => messages::StatusChanged::NAME,
            Self::Returned(_) => messages::Returned::NAME,
            Self::Shipped => messages::Shipped::NAME,
            Self::Delivered => messages::Delivered::NAME,
        }
    }
}

fn emit(
    tx: &mut Tx<'_>,
    order: &mut Locked,
    (emitted, state): &(Emitted, OrderState),
    units: Vec<Units>,
    cause: &Cause,
) -> Result<(), InternalError> {
    let (order_id, total, version) = (order.id, order.total(), &mut order.version);
    match emitted {
        Emitted::PaymentDue => {
            let event = messages::PaymentDue {
                order_id,
                order_number: order.order_number.clone(),
                user_id: order.user_id,
                amount: total,
                payment_method: order.payment_method.clone(),
            };
            tx.emit(cause, version, &event)
        }
        Emitted::Confirmed => {
            let event = messages::Confirmed {
                order_id,
                order_number: order.order_number.clone(),
                user_id: order.user_id,
                cart_id: order.cart_id,
                items: units,
                total,
            };
            tx.emit(cause, version, &event)
        }
        Emitted::Failed(failure) => tx.emit(cause, version, &messages::Failed { order_id, failure: failure.clone() }),
        Emitted::Cancelled(was) => tx.emit(cause, version, &messages::Cancelled { order_id, was: *was }),
        Emitted::ExpiryDue => tx.emit(cause, version, &messages::ExpiryDue { order_id }),
        Emitted::Expired => tx.emit(cause, version, &messages::Expired { order_id }),
        Emitted::RefundDue => tx.emit(cause, version, &messages::RefundDue { order_id, status: state.status }),
        Emitted::StatusChanged => {
            let (status, payment_status) = (state.status, state.payment);
            tx.emit(cause, version, &messages::StatusChanged { order_id, status, payment_status })
        }
        Emitted::Returned(_) => tx.emit(cause, version, &messages::Returned { order_id, items: units }),
        Emitted::Shipped => tx.emit(cause, version, &messages::Shipped { order_id }),
        Emitted::Delivered => tx.emit(cause, version, &messages::Delivered { order_id }),
    }
}
