//! Creates the stock records of new products.

use std::collections::BTreeMap;

use runtime::{EventEnvelope, InternalError, Tx};
use subjects::{catalog::ProductCreated, inventory::MAX_ON_HAND};

use crate::{machine::account::Entry, shelf::Shelf, store};

/// Creates a shelf for every variant, with the units that the seller named. If a shelf exists, the seller has set its
/// stock before this event arrived: the stock that was set is kept, and the event's units are not added.
pub(crate) async fn create_shelves(
    tx: &mut Tx<'_>,
    products: &[&EventEnvelope<ProductCreated>],
) -> Result<(), InternalError> {
    let (mut new, now) = (BTreeMap::new(), tx.now());
    for event in products {
        for variant in &event.message.variants {
            let (id, seller) = (variant.variant_id.0, event.message.seller_id.0);
            let on_hand = variant.on_hand.unwrap_or(0).clamp(0, MAX_ON_HAND);
            let product_id = Some(event.message.product_id.0);
            let empty = || Shelf { product_id, ..Shelf::empty(id, variant.sku.clone(), seller, now) };
            new.entry(id).or_insert_with(|| (empty(), on_hand, &event.cause));
        }
    }
    let empty: Vec<_> = new.values().map(|(empty, ..)| empty).collect();
    let made = store::insert_shelves(tx.writes(), &empty).await?;
    let (mut received, mut entries) = (Vec::new(), Vec::new());
    for (id, (empty, on_hand, cause)) in &new {
        if made.contains(id) && *on_hand > 0 {
            let mut shelf = Shelf { on_hand: *on_hand, received: *on_hand, ..empty.clone() };
            shelf.emit(tx, cause, empty)?;
            entries.extend(Entry::of_units(empty, &shelf, "received"));
            received.push(shelf);
        }
    }
    store::update_shelves(tx.last_writes(), &received.iter().collect::<Vec<_>>(), now);
    store::insert_movements(tx.last_writes(), &entries, now);
    // An order in the same batch may reserve these units.
    tx.flush().await
}
