//! The stock of one variant.

use runtime::{AnswerBatch, Context, InternalError, QueryEnvelope, QueryResult, Reads};
use subjects::inventory::{GetStock, InventoryError, Stock};

use crate::{Inventory, offers, shelf::Shelf, store};

impl AnswerBatch<GetStock> for Inventory {
    type Loaded = Option<Shelf>;

    async fn load(
        &self,
        db: Reads<'_>,
        queries: &[&QueryEnvelope<GetStock>],
    ) -> Result<Vec<Option<Shelf>>, InternalError> {
        let variants: Vec<_> = queries.iter().map(|query| query.message.variant_id.0).collect();
        let shelves = store::shelves(db, &variants).await?;
        Ok(variants.iter().map(|variant| shelves.get(variant).cloned()).collect())
    }

    async fn answer(&self, cx: &Context, query: &GetStock, shelf: Option<Shelf>) -> QueryResult<Stock, InventoryError> {
        let shelf = shelf.ok_or(InventoryError::VariantNotFound)?;
        if shelf.is_managed_by(cx.caller()) {
            return Ok(shelf.into_stock());
        }
        // As in catalog, a variant that is not for sale does not exist for the public.
        if offers::for_sale(cx, vec![query.variant_id]).await?.is_empty() {
            return Err(InventoryError::VariantNotFound.into());
        }
        Ok(shelf.into_public_stock())
    }
}
