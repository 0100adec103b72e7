//! Stock.

use poem_openapi::{OpenApi, param::Path};
use subjects::{
    ProductId, VariantId,
    inventory::{
        Availabilities, CheckAvailability, GetProductStock, GetStock, ListLowStock, ListMovements, LowStocks,
        Movements, ProductStock, SetStock, Stock, StockCount,
    },
};

use crate::{
    http::{
        body::Body,
        caller::Caller,
        error::ApiError,
        header::{IfMatch, IfNoneMatch, Key, LastEventId},
        query::{Query, page},
        reply::{Answer, Fresh, Reply},
        tag::Tag,
    },
    server::{follow_stock::FollowStock, stream::EventStream},
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

    /// Follow the stock of a variant
    ///
    /// Server-sent events named `stock`: the data is the stock as the public sees it, first as it is now, then after
    /// each change of the available units. Changes within a second are one event. A client that was disconnected
    /// resumes with `Last-Event-ID`.
    #[oai(path = "/inventory/:variant_id/stream", method = "get", operation_id = "stream_stock")]
    async fn stream_stock(
        &self,
        caller: Caller<GetStock>,
        variant_id: Path<VariantId>,
        #[oai(name = "Last-Event-ID")] seen: LastEventId,
    ) -> Result<EventStream<FollowStock>, ApiError> {
        EventStream::open(FollowStock::open((*caller).clone(), variant_id.0, seen.0)).await
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

    /// Get the stock of a product
    ///
    /// The sums of its variants, and the variants. As for a variant, the public sees what is available.
    #[oai(path = "/inventory/products/:product_id", method = "get", operation_id = "get_product_stock")]
    async fn get_product_stock(
        &self,
        caller: Caller<GetProductStock>,
        product_id: Path<ProductId>,
    ) -> Answer<ProductStock> {
        Reply::new(&caller.ask(&GetProductStock { product_id: product_id.0 }).await?)
    }

    /// List the variants that are low on stock, newest first
    ///
    /// Those whose available units are at or below their minimum.
    #[oai(path = "/admin/inventory/low-stock", method = "get", operation_id = "list_low_stock")]
    async fn list_low_stock(
        &self,
        caller: Caller<ListLowStock>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<LowStocks> {
        Reply::new(&caller.ask(&ListLowStock { page: page(limit, offset, cursor) }).await?)
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
