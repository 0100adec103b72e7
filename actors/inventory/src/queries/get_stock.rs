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
        let mut shelf = shelf.ok_or(InventoryError::VariantNotFound)?;
        if shelf.is_managed_by(cx.caller()) {
            offers::name_products(cx, std::slice::from_mut(&mut shelf)).await;
            return Ok(shelf.into_stock());
        }
        // As in catalog, a variant that is not for sale does not exist for the public.
        let offers = offers::offers(cx, vec![query.variant_id]).await?;
        let offer = offers.into_iter().find(|offer| offer.is_active).ok_or(InventoryError::VariantNotFound)?;
        shelf.product_id = Some(offer.product_id.0);
        Ok(shelf.into_stock().into_public())
    }
}
