//! Stock.

use poem_openapi::{OpenApi, param::Path};
use subjects::{
    VariantId,
    inventory::{Availabilities, CheckAvailability, GetStock, ListMovements, Movements, SetStock, Stock, StockCount},
};

use crate::http::{
    body::Body,
    caller::Caller,
    error::ApiError,
    header::{IfMatch, IfNoneMatch, Key},
    query::{Query, page},
    reply::{Answer, Fresh, Reply},
    tag::Tag,
};

/// The routes of stock.
pub(crate) struct InventoryApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Inventory")]
impl InventoryApi {
    /// Get the stock of a variant
    ///
    /// The public sees what is available. The units on hand, those reserved and the minimum are shown to the product's
    /// seller and to admins.
    #[oai(path = "/inventory/:variant_id", method = "get", operation_id = "get_stock")]
    async fn get_stock(
        &self,
        caller: Caller<GetStock>,
        variant_id: Path<VariantId>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<Stock>, ApiError> {
        let stock = caller.ask(&GetStock { variant_id: variant_id.0 }).await?;
        Ok(Reply::versioned(&stock)?.about(stock.variant_id.0).public_unless(caller.is_signed_in()).unless(&known))
    }

    /// Set the stock of a variant
    #[oai(path = "/inventory/:variant_id", method = "put", operation_id = "set_stock")]
    async fn set_stock(
        &self,
        caller: Caller<SetStock>,
        variant_id: Path<VariantId>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<StockCount>,
    ) -> Answer<Stock> {
        let command = SetStock { variant_id: variant_id.0, count: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Check availability
    #[oai(path = "/inventory/availability", method = "post", operation_id = "check_availability")]
    async fn check_availability(
        &self,
        caller: Caller<CheckAvailability>,
        body: Body<CheckAvailability>,
    ) -> Answer<Availabilities> {
        Reply::new(&caller.ask(&body.0).await?)
    }

    /// List the stock movements of a variant, newest first
    #[oai(path = "/inventory/:variant_id/movements", method = "get", operation_id = "list_movements")]
    async fn list_movements(
        &self,
        caller: Caller<ListMovements>,
        variant_id: Path<VariantId>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<Movements> {
        let query = ListMovements { variant_id: variant_id.0, page: page(limit, offset, cursor) };
        Reply::new(&caller.ask(&query).await?)
    }
}
