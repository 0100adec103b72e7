//! Places an order: one query to catalog for all lines and one to pricing for the totals, then one row with its lines,
//! history and event. Stock and payment are decided afterwards, by the state machine in [`machine`](crate::machine).

mod quote;
mod validate;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::{CallError, Event};
use runtime::{
    Caller, Cause, CommandEnvelope, Context, HandleBatch, HandlerResult, InternalError, Prepare, PrepareError,
    QueryResult, Tx, Version,
};
use subjects::{
    CartId, ItemId, OrderId, UserId,
    carts::{CartsError, Contents, GetContents},
    catalog::GetOffers,
    inventory::{CheckAvailability, Units},
    orders::{LineFact, NewOrder, Order, OrderItem, OrdersError, PlaceOrder, Placed},
    pricing::{GetQuotes, RuleVersion},
};
use uuid::Uuid;

use crate::{
    Orders,
    machine::OrderState,
    number::order_number,
    store::{self, Entry},
};

pub(crate) use quote::CartUse;
use quote::{Priced, Quote};

impl Prepare<PlaceOrder> for Orders {
    type Prepared = Quote;

    async fn prepare(&self, cx: &Context, command: &PlaceOrder) -> Result<Quote, PrepareError<OrdersError>> {
        validate::validate(&command.order, cx.caller().user_id().is_none())?;
        let (cart, units) = lines(cx, command).await?;
        let variant_ids = units.iter().map(|units| units.variant_id).collect();
        let offers = GetOffers { variant_ids, product_ids: Vec::new() };
        let offers = cx.ask_together(offers).await.map_err(InternalError::from)?;
        let priced = quote::price(cart, &units, offers.offers)?;
        let quote = totals(cx, priced, &command.order).await?;
        match command.order.expected_total {
            Some(expected) if expected != quote.totals.total => Err(why_another_total(cx, units, quote).await?.into()),
            _ => Ok(quote),
        }
    }
}

impl HandleBatch<PlaceOrder, Quote> for Orders {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<PlaceOrder, Quote>],
    ) -> Result<Vec<HandlerResult<Order, OrdersError>>, InternalError> {
        let now = tx.now();
        let deadline = now + self.payment_deadline;
        let mut drafts: Vec<Draft<'_>> = commands.iter().map(|command| Draft::new(command, now, deadline)).collect();
        let mut rejected = claim_carts(tx, &drafts).await?;
        for draft in drafts.iter_mut().filter(|draft| !rejected.contains_key(&draft.order.id)) {
            tracing::info!(
                order_id = %draft.order.id,
                user_id = draft.user_id().map(tracing::field::display),
                order_number = draft.order.order_number,
                request_id = draft.cause.request_id,
                "order created"
            );
            let placed = draft.placed();
            tx.emit(draft.cause, &mut draft.version, &placed)?;
            draft.order.version = draft.version.get();
        }
        let accepted: Vec<_> = drafts.iter().filter(|draft| !rejected.contains_key(&draft.order.id)).collect();
        write(tx, &accepted, now, deadline);
        let outcome = |draft: Draft<'_>| match rejected.remove(&draft.order.id) {
            Some(error) => Err(error.into()),
            None => Ok(draft.order),
        };
        Ok(drafts.into_iter().map(outcome).collect())
    }
}

/// The lines to order: those that the command names, or those of the caller's cart.
async fn lines(cx: &Context, command: &PlaceOrder) -> QueryResult<(Option<CartUse>, Vec<Units>), OrdersError> {
    let user_id = cx.caller().user_id();
    let whose = GetContents { user_id, guest: cx.capability() };
    if let Some(items) = &command.order.items {
        // A guest's token must still open a cart, even an empty one.
        if user_id.is_none() {
            contents(cx, &whose).await?.ok_or(OrdersError::CartNotFound)?;
        }
        return Ok((None, validate::merge(items)?));
    }
    let missing = if user_id.is_some() { OrdersError::CartEmpty } else { OrdersError::CartNotFound };
    let contents = contents(cx, &whose).await?.ok_or(missing)?;
    if contents.items.is_empty() {
        return Err(OrdersError::CartEmpty.into());
    }
    let cart = CartUse { cart_id: contents.cart_id, version: contents.version };
    Ok((Some(cart), validate::merge(&contents.items)?))
}

/// The totals of the lines, by pricing.
async fn totals(cx: &Context, priced: Priced, order: &NewOrder) -> QueryResult<Quote, OrdersError> {
    let requests = vec![quote::request(&priced, order)];
    match cx.ask_together(GetQuotes { requests }).await {
        Ok(mut quotes) => {
            let quoted = quotes.quotes.pop().ok_or_else(|| InternalError::other("a request without a quote"))?;
            Ok(quote::quote(priced, quoted)?)
        }
        Err(CallError::Rejected(_)) => Err(quote::too_large().into()),
        Err(error) => Err(InternalError::from(error).into()),
    }
}

/// The reason for a total that differs from the expected one. A cart's totals leave out lines that are out of stock, so
/// stock is checked first.
async fn why_another_total(cx: &Context, units: Vec<Units>, quote: Quote) -> Result<OrdersError, InternalError> {
    if quote.cart.is_some() {
        let stock = cx.ask(&CheckAvailability { items: units }).await.map_err(InternalError::from)?;
        if let Some(missing) = stock.data.iter().find(|one| !one.is_available) {
            return Ok(OrdersError::OutOfStock { variant_id: missing.variant_id, available: missing.available });
        }
    }
    Ok(OrdersError::TotalChanged { totals: quote.totals })
}

async fn contents(cx: &Context, whose: &GetContents) -> Result<Option<Contents>, InternalError> {
    match cx.ask(whose).await {
        Ok(contents) => Ok(Some(contents)),
        Err(CallError::Rejected(CartsError::CartNotFound)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An order before it is written.
pub(crate) struct Draft<'a> {
    pub order: Order,
    version: Version,
    pub new: &'a NewOrder,
    quote: &'a Quote,
    caller: &'a Caller,
    cause: &'a Cause,
}

impl<'a> Draft<'a> {
    fn new(command: &'a CommandEnvelope<PlaceOrder, Quote>, now: DateTime<Utc>, deadline: DateTime<Utc>) -> Self {
        let (new, quote) = (&command.message.order, &command.prepared);
        let id = OrderId::new();
        let state = OrderState::placed(quote.totals.total.amount, new.payment.is_some());
        let items = quote
            .lines
            .iter()
            .map(|line| OrderItem {
                id: ItemId::new(),
                product_id: line.offer.product_id,
                variant_id: line.offer.variant_id,
                seller_id: line.offer.seller_id,
                sku: line.offer.sku.clone(),
                name: line.offer.name.clone(),
                quantity: line.quantity,
                unit_price: line.offer.price,
                line_total: line.total,
            })
            .collect();
        let order = Order {
            id,
            order_number: order_number(id),
            status: state.status,
            payment_status: state.payment,
            fulfillment_status: state.fulfillment,
            items,
            totals: quote.totals.clone(),
            tax_lines: quote.tax_lines.clone(),
            discounts: quote.discounts.clone(),
            shipping_method: quote.shipping_method.clone(),
            currency: quote.totals.total.currency,
            failure: None,
            payment: None,
            shipping_address: new.shipping_address.clone(),
            billing_address: new.billing_address.clone(),
            notes: new.notes.clone(),
            payment_deadline: deadline,
            version: 0,
            created_at: now,
            updated_at: now,
        };
        Self { order, version: Version::default(), new, quote, caller: &command.caller, cause: &command.cause }
    }

    pub(crate) fn cart_id(&self) -> Option<CartId> {
        self.quote.cart.as_ref().map(|cart| cart.cart_id)
    }

    pub(crate) fn user_id(&self) -> Option<UserId> {
        self.caller.user_id().map(UserId)
    }

    /// The digest of the guest's cart token.
    pub(crate) fn guest(&self) -> Option<Uuid> {
        if let Caller::Capability(digest) = self.caller { Some(*digest) } else { None }
    }

    /// The rules behind the totals.
    pub(crate) fn rules(&self) -> &[RuleVersion] {
        &self.quote.rules
    }

    /// What the buyer pays for each line.
    pub(crate) fn paid(&self) -> impl Iterator<Item = i64> {
        self.quote.lines.iter().map(|line| line.paid)
    }

    fn placed(&self) -> Placed {
        let line = |item: &OrderItem| LineFact {
            product_id: item.product_id,
            variant_id: item.variant_id,
            seller_id: item.seller_id,
            sku: item.sku.clone(),
            quantity: item.quantity,
            unit_price: item.unit_price,
        };
        Placed {
            order_id: self.order.id,
            order_number: self.order.order_number.clone(),
            user_id: self.user_id(),
            cart_id: self.cart_id(),
            items: self.order.items.iter().map(line).collect(),
            totals: self.order.totals.clone(),
        }
    }
}

/// Claims the carts of orders, and returns the orders to reject: another order from the same cart is undecided, or was
/// confirmed and the cart has not changed since.
async fn claim_carts(tx: &mut Tx<'_>, drafts: &[Draft<'_>]) -> Result<BTreeMap<OrderId, OrdersError>, InternalError> {
    let mut claims: BTreeMap<CartId, (&CartUse, &Order)> = BTreeMap::new();
    for draft in drafts {
        if let Some(cart) = &draft.quote.cart {
            claims.entry(cart.cart_id).or_insert((cart, &draft.order));
        }
    }
    if claims.is_empty() {
        return Ok(BTreeMap::new());
    }
    let claims: Vec<_> = claims.into_values().collect();
    let taken: BTreeSet<CartId> = store::claim_carts(tx.writes(), &claims).await?.into_iter().collect();
    let won = claims.iter().filter(|(cart, _)| taken.contains(&cart.cart_id)).map(|(_, order)| order.id);
    let won: BTreeSet<OrderId> = won.collect();
    let late = drafts.iter().filter_map(|draft| Some((draft.cart_id()?, draft.order.id)));
    let late: Vec<(CartId, OrderId)> = late.filter(|(_, order)| !won.contains(order)).collect();
    if late.is_empty() {
        return Ok(BTreeMap::new());
    }
    let carts: Vec<_> = late.iter().map(|(cart, _)| *cart).collect();
    let holders = store::checkouts(tx.reads(), &carts).await?;
    late.into_iter()
        .map(|(cart, id)| {
            let (order_id, order_number) =
                holders.get(&cart).cloned().ok_or_else(|| InternalError::other("a claimed cart has no claim"))?;
            Ok((id, OrdersError::CartInCheckout { order_id, order_number }))
        })
        .collect()
}

fn write(tx: &mut Tx<'_>, drafts: &[&Draft<'_>], now: DateTime<Utc>, deadline: DateTime<Utc>) {
    if drafts.is_empty() {
        return;
    }
    store::insert_orders(tx.last_writes(), drafts, now, deadline);
    store::insert_items(tx.last_writes(), drafts, now);
    let entry = |draft: &&Draft<'_>| Entry {
        order_id: draft.order.id,
        version: draft.version,
        event: Placed::NAME,
        status: draft.order.status,
        payment: draft.order.payment_status,
        cause: draft.cause.name.clone(),
    };
    let entries: Vec<Entry> = drafts.iter().map(entry).collect();
    store::insert_history(tx.last_writes(), &entries, now);
}
