//! Applies a batch of inputs to orders: writes rows, history and events with a constant number of statements, whatever
//! the number of orders.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{Breakage, Cause, Machine, Transition, Tx};
use subjects::{CartId, OrderId, inventory::Units, orders as messages};

use crate::{
    store::{self, Locked},
    story::{Fact, OrderState, Tell, step},
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
    type Act = (Tell, OrderState);

    async fn lock(&mut self, tx: &mut Tx<'_>, ids: &[OrderId]) -> Result<BTreeMap<OrderId, Locked>, Breakage> {
        store::lock(tx.locks(), ids).await
    }

    fn transition(&mut self, order: &mut Locked, fact: Fact) -> Transition<Self::Act> {
        step(&mut order.state, fact)
    }

    async fn load(&mut self, tx: &mut Tx<'_>, acts: &[(OrderId, Self::Act)]) -> Result<(), Breakage> {
        let of = |pick: fn(&Tell) -> bool| -> Vec<_> {
            acts.iter().filter(|(_, (tell, _))| pick(tell)).map(|(id, _)| *id).collect()
        };
        let confirmed = of(|tell| *tell == Tell::Confirmed);
        if !confirmed.is_empty() {
            self.units = store::units_of(tx.reads(), &confirmed).await?;
        }
        let returned = of(|tell| matches!(tell, Tell::Returned(_)));
        if !returned.is_empty() {
            self.lines = store::returnable(tx.reads(), &returned).await?;
        }
        Ok(())
    }

    fn act(&mut self, tx: &mut Tx<'_>, order: &mut Locked, act: Self::Act, cause: &Cause) -> Result<(), Breakage> {
        let (order_id, (tell, state)) = (order.id, &act);
        let units = match tell {
            Tell::Confirmed => self.units.remove(&order_id).unwrap_or_default(),
            Tell::Returned(returns) => {
                let lines = self.lines.iter_mut().filter(|line| line.order_id == order_id);
                lines.filter_map(|line| line.give(returns)).collect()
            }
            _ => Vec::new(),
        };
        emit(tx, order, &act, units, cause)?;
        let (version, event, cause) = (order.version, tell.name(), cause.name.clone());
        tracing::info!(%order_id, %version, status = state.status.word(), event, cause, "order moved");
        let (status, payment) = (state.status, state.payment);
        self.history.push(store::Entry { order_id, version, event, status, payment, cause });
        match (tell, order.cart_id) {
            (Tell::Confirmed, Some(cart)) => {
                self.confirmed.insert((cart, order_id));
            }
            (Tell::Failed(_) | Tell::Cancelled(_) | Tell::Expired, Some(cart)) => {
                self.ended.insert((cart, order_id));
            }
            _ => {}
        }
        if let (Tell::Failed(failure), _) = act {
            order.failure = Some(failure);
        }
        Ok(())
    }

    async fn save(&mut self, tx: &mut Tx<'_>, moved: &[&Locked]) -> Result<(), Breakage> {
        let now = tx.now();
        if !self.lines.is_empty() {
            store::set_returned(tx.writes(), &self.lines).await?;
        }
        store::update(tx.writes(), moved, self.cancel_reason, now).await?;
        if !self.history.is_empty() {
            store::insert_history(tx.writes(), &self.history, now).await?;
        }
        store::leave_carts(tx.writes(), &self.confirmed, &self.ended).await
    }
}

impl Tell {
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
    (tell, state): &(Tell, OrderState),
    units: Vec<Units>,
    cause: &Cause,
) -> Result<(), Breakage> {
    let (order_id, total, version) = (order.id, order.total(), &mut order.version);
    match tell {
        Tell::PaymentDue => {
            let event = messages::PaymentDue {
                order_id,
                order_number: order.order_number.clone(),
                user_id: order.user_id,
                amount: total,
                payment_method: order.payment_method.clone(),
            };
            tx.emit(cause, version, &event)
        }
        Tell::Confirmed => {
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
        Tell::Failed(failure) => tx.emit(cause, version, &messages::Failed { order_id, failure: failure.clone() }),
        Tell::Cancelled(was) => tx.emit(cause, version, &messages::Cancelled { order_id, was: *was }),
        Tell::ExpiryDue => tx.emit(cause, version, &messages::ExpiryDue { order_id }),
        Tell::Expired => tx.emit(cause, version, &messages::Expired { order_id }),
        Tell::RefundDue => tx.emit(cause, version, &messages::RefundDue { order_id, status: state.status }),
        Tell::StatusChanged => {
            let (status, payment_status) = (state.status, state.payment);
            tx.emit(cause, version, &messages::StatusChanged { order_id, status, payment_status })
        }
        Tell::Returned(_) => tx.emit(cause, version, &messages::Returned { order_id, items: units }),
        Tell::Shipped => tx.emit(cause, version, &messages::Shipped { order_id }),
        Tell::Delivered => tx.emit(cause, version, &messages::Delivered { order_id }),
    }
}
