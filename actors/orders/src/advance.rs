//! Moves orders on: facts about a whole batch of orders become rows, history and events, with a constant number of
//! statements.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{Breakage, Cause, Tx, Version};
use subjects::{
    CartId, OrderId,
    inventory::Units,
    orders::{self as messages, Failure, OrderStatus},
};

use crate::{
    reactions::Input,
    store::{self, Locked},
    story::{OrderState, Step, Tell, step},
};

/// Locks the orders, decides by the table and writes what follows.
pub(crate) async fn advance(tx: &mut Tx<'_>, inputs: &[&Input]) -> Result<(), Breakage> {
    let mut orders = lock(tx, inputs.iter().map(|input| input.order_id)).await?;
    let mut story = Story::default();
    for Input { order_id, fact, cause } in inputs.iter().copied() {
        let Some(fact) = fact else { continue };
        let Some(order) = orders.get_mut(order_id) else {
            tracing::warn!(order_id = %order_id, cause = cause.name, "heard of an order that is not here");
            continue;
        };
        if let Step::Go { next, tells } = step(&order.state, fact.clone()) {
            story.go(order, next, tells, cause, None);
        }
    }
    story.write(tx, &mut orders).await
}

/// Locks orders, whatever the order and the number of their mentions.
pub(crate) async fn lock(
    tx: &mut Tx<'_>,
    ids: impl Iterator<Item = OrderId>,
) -> Result<BTreeMap<OrderId, Locked>, Breakage> {
    let ids: BTreeSet<OrderId> = ids.collect();
    let ids: Vec<_> = ids.into_iter().map(|id| id.0).collect();
    store::lock(tx.locks(), &ids).await
}

/// One step of an order, as it will be told.
struct Told<'a> {
    order_id: OrderId,
    state: OrderState,
    tell: Tell,
    cause: &'a Cause,
}

impl Told<'_> {
    /// The line of the history, once the event was emitted.
    fn entry(&self, version: Version) -> store::Entry<'_> {
        let (event, cause) = (self.tell.name(), self.cause.name.as_str());
        tracing::info!(order_id = %self.order_id, %version, status = self.state.status.word(), event, cause, "order moved");
        let OrderState { status, payment, .. } = self.state;
        store::Entry { order_id: self.order_id, version, event, status, payment, cause }
    }
}

/// What happened to a batch of orders, before it is written.
#[derive(Default)]
pub(crate) struct Story<'a> {
    moved: BTreeMap<OrderId, Option<&'a str>>,
    told: Vec<Told<'a>>,
}

impl<'a> Story<'a> {
    /// Takes an order where the table says.
    pub(crate) fn go(
        &mut self,
        order: &mut Locked,
        next: OrderState,
        tells: Vec<Tell>,
        cause: &'a Cause,
        cancel_reason: Option<&'a str>,
    ) {
        order.state = next;
        let reason = self.moved.entry(order.id).or_default();
        *reason = cancel_reason.or(*reason);
        self.told.extend(tells.into_iter().map(|tell| Told { order_id: order.id, state: next, tell, cause }));
    }

    /// Emits the events, and writes rows, history and claims on carts.
    pub(crate) async fn write(&self, tx: &mut Tx<'_>, orders: &mut BTreeMap<OrderId, Locked>) -> Result<(), Breakage> {
        if self.moved.is_empty() {
            return Ok(());
        }
        let confirmed: Vec<_> = self.told.iter().filter(|one| one.tell == Tell::Confirmed).collect();
        let mut units = BTreeMap::new();
        if !confirmed.is_empty() {
            let ids: Vec<_> = confirmed.iter().map(|one| one.order_id.0).collect();
            units = store::units_of(tx.reads(), &ids).await?;
        }
        let mut returned = self.returned(tx).await?;
        let mut entries = Vec::with_capacity(self.told.len());
        for (index, told) in self.told.iter().enumerate() {
            let Some(order) = orders.get_mut(&told.order_id) else { continue };
            let units = match told.tell {
                Tell::Confirmed => units.remove(&told.order_id).unwrap_or_default(),
                Tell::Returned(_) => returned.remove(&index).unwrap_or_default(),
                _ => Vec::new(),
            };
            emit(tx, order, told, units)?;
            entries.push(told.entry(order.version));
        }
        let now = tx.now();
        store::update(tx.writes(), &self.moves(orders), now).await?;
        if !entries.is_empty() {
            store::insert_history(tx.writes(), &entries, now).await?;
        }
        let (stay, leave) = self.carts(orders);
        store::leave_carts(tx.writes(), &stay, &leave).await
    }

    /// Takes returned units off their lines, as far as these still have them; gives them by the event's index.
    async fn returned(&self, tx: &mut Tx<'_>) -> Result<BTreeMap<usize, Vec<Units>>, Breakage> {
        let told = self.told.iter().enumerate().filter_map(|(index, one)| match &one.tell {
            Tell::Returned(returns) => Some((one.order_id, index, returns)),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<_> = told.iter().map(|(id, ..)| id.0).collect();
        let mut lines = store::returnable(tx.reads(), &ids).await?;
        let mut units = BTreeMap::new();
        for (id, index, returns) in told {
            let taken = lines.iter_mut().filter(|line| line.order_id == id).filter_map(|line| line.give(returns));
            units.insert(index, taken.collect());
        }
        store::set_returned(tx.writes(), &lines).await?;
        Ok(units)
    }

    fn moves<'b>(&'b self, orders: &BTreeMap<OrderId, Locked>) -> Vec<store::Move<'b>> {
        let failure_of = |id: OrderId| -> Option<&Failure> {
            self.told.iter().filter(|one| one.order_id == id).find_map(|one| match &one.tell {
                Tell::Failed(failure) => Some(failure),
                _ => None,
            })
        };
        let moved = self.moved.iter().filter_map(|(id, reason)| orders.get(id).map(|order| (order, reason)));
        moved
            .map(|(order, reason)| store::Move {
                id: order.id,
                state: order.state,
                version: order.version,
                failure: if order.state.status == OrderStatus::Failed { failure_of(order.id) } else { None },
                cancel_reason: *reason,
            })
            .collect()
    }

    /// The carts whose orders were confirmed, and those whose orders ended; sorted.
    fn carts(&self, orders: &BTreeMap<OrderId, Locked>) -> (Vec<(CartId, OrderId)>, Vec<(CartId, OrderId)>) {
        let of = |pick: fn(&Tell) -> bool| {
            let ids = self.told.iter().filter(|one| pick(&one.tell)).map(|one| one.order_id);
            let carts: BTreeSet<_> = ids.filter_map(|id| orders.get(&id)?.cart_id.map(|cart| (cart, id))).collect();
            carts.into_iter().collect::<Vec<_>>()
        };
        let ended = of(|tell| matches!(tell, Tell::Failed(_) | Tell::Cancelled(_) | Tell::Expired));
        let confirmed = of(|tell| *tell == Tell::Confirmed);
        (confirmed, ended)
    }
}

impl Tell {
    /// The event's name.
    pub(crate) fn name(&self) -> &'static str {
        use contract::Event;
        match self {
            Self::Placed => messages::Placed::NAME,
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

fn emit(tx: &mut Tx<'_>, order: &mut Locked, told: &Told<'_>, units: Vec<Units>) -> Result<(), Breakage> {
    let (order_id, cause, version) = (order.id, told.cause, &mut order.version);
    match &told.tell {
        Tell::Placed => Err(Breakage::other("an order is placed once, by its command")),
        Tell::PaymentDue => {
            let event = messages::PaymentDue {
                order_id,
                order_number: order.order_number.clone(),
                user_id: order.user_id,
                amount: order.total,
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
                total: order.total,
            };
            tx.emit(cause, version, &event)
        }
        Tell::Failed(failure) => tx.emit(cause, version, &messages::Failed { order_id, failure: failure.clone() }),
        Tell::Cancelled(was) => tx.emit(cause, version, &messages::Cancelled { order_id, was: *was }),
        Tell::ExpiryDue => tx.emit(cause, version, &messages::ExpiryDue { order_id }),
        Tell::Expired => tx.emit(cause, version, &messages::Expired { order_id }),
        Tell::RefundDue => tx.emit(cause, version, &messages::RefundDue { order_id, status: told.state.status }),
        Tell::StatusChanged => {
            let (status, payment_status) = (told.state.status, told.state.payment);
            tx.emit(cause, version, &messages::StatusChanged { order_id, status, payment_status })
        }
        Tell::Returned(_) => tx.emit(cause, version, &messages::Returned { order_id, items: units }),
        Tell::Shipped => tx.emit(cause, version, &messages::Shipped { order_id }),
        Tell::Delivered => tx.emit(cause, version, &messages::Delivered { order_id }),
    }
}
