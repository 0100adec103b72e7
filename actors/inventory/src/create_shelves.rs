//! Shelves of new products.

use std::collections::BTreeMap;

use runtime::{Delivered, Stored, Tx};
use subjects::{catalog::ProductCreated, inventory::MAX_ON_HAND};

use crate::{account::Entry, shelf::Shelf, store};

/// Makes a shelf for every variant, with the units its seller named. Where there is a shelf already, the seller has set the
/// stock before this event came: what was set last stands, and the event's units are not added.
pub(crate) async fn create_shelves(tx: &mut Tx<'_>, products: &[&Delivered<ProductCreated>]) -> Stored<()> {
    if products.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let mut shelves = BTreeMap::new();
    for event in products {
        for variant in &event.message.variants {
            let (id, seller) = (variant.variant_id.0, event.message.seller_id.0);
            let empty = Shelf::empty(id, variant.sku.clone(), seller, now);
            let on_hand = variant.on_hand.unwrap_or(0).clamp(0, MAX_ON_HAND);
            // Without units there is nothing to emit, and no version.
            let shelf = Shelf { on_hand, received: on_hand, version: on_hand.min(1), ..empty.clone() };
            shelves.entry(id).or_insert((shelf, empty, &event.cause));
        }
    }
    let wanted: Vec<_> = shelves.values().map(|(shelf, _, _)| shelf).collect();
    let made = store::insert_shelves(tx.write(), &wanted).await?;
    shelves.retain(|id, (shelf, _, _)| made.contains(id) && shelf.on_hand > 0);
    let entry = |shelf: &Shelf| Entry {
        variant: shelf.variant_id,
        reason: "received",
        on_hand: shelf.on_hand,
        reserved: 0,
        order: None,
    };
    let entries: Vec<_> = shelves.values().map(|(shelf, _, _)| entry(shelf)).collect();
    store::insert_movements(tx.write(), &entries, now).await?;
    for (shelf, empty, cause) in shelves.values() {
        shelf.tell(tx, cause, empty)?;
    }
    Ok(())
}
