//! Creates the stock records of new products.

use std::collections::BTreeMap;

use runtime::{Breakage, Delivered, Tx};
use subjects::{catalog::ProductCreated, inventory::MAX_ON_HAND};

use crate::{account::Entry, shelf::Shelf, store};

/// Creates a shelf for every variant, with the units that the seller named. If a shelf exists, the seller has set its
/// stock before this event arrived: the stock that was set is kept, and the event's units are not added.
pub(crate) async fn create_shelves(tx: &mut Tx<'_>, products: &[&Delivered<ProductCreated>]) -> Result<(), Breakage> {
    if products.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let (mut empty, mut announced) = (BTreeMap::new(), BTreeMap::new());
    for event in products {
        for variant in &event.message.variants {
            let (id, seller) = (variant.variant_id.0, event.message.seller_id.0);
            empty.entry(id).or_insert_with(|| Shelf::empty(id, variant.sku.clone(), seller, now));
            let on_hand = variant.on_hand.unwrap_or(0).clamp(0, MAX_ON_HAND);
            announced.entry(id).or_insert((on_hand, &event.cause));
        }
    }
    let made = store::insert_shelves(tx.writes(), &empty.values().collect::<Vec<_>>()).await?;
    let (mut received, mut entries) = (Vec::new(), Vec::new());
    for (id, before) in empty.iter().filter(|(id, _)| made.contains(id)) {
        let Some((on_hand, cause)) = announced.get(id).filter(|(on_hand, _)| *on_hand > 0) else { continue };
        let mut shelf = Shelf { on_hand: *on_hand, received: *on_hand, ..before.clone() };
        shelf.emit(tx, cause, before)?;
        entries.extend(Entry::of_units(before, &shelf, "received"));
        received.push(shelf);
    }
    if received.is_empty() {
        return Ok(());
    }
    store::update_shelves(tx.writes(), &received.iter().collect::<Vec<_>>(), now).await?;
    store::insert_movements(tx.writes(), &entries, now).await
}
