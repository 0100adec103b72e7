//! Orders and their history.

use std::{pin::pin, time::Duration};

use poem_openapi::{OpenApi, param::Path};
use subjects::orders::{
    CancelOrder, Cancellation, GetHistory, GetOrder, History, ListOrders, NewOrder, Order, OrderStatus, Orders,
    PlaceOrder, SetStatus, StatusChange,
};
use tokio::time::timeout;

use crate::{
    http::{
        body::{Body, OptionalBody},
        caller::Caller,
        error::ApiError,
        header::{IfMatch, IfNoneMatch, Key, LastEventId, Prefer, RequiredKey},
        query::{Query, page},
        reply::{Answer, Fresh, Reply},
        tag::{BASE, Tag},
    },
    server::{
        admission::IN_TIME,
        follow::{Follow, grant, until_decided},
        stream::EventStream,
    },
};

/// The routes of orders.
pub(crate) struct OrdersApi;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Orders")]
impl OrdersApi {
    /// Place an order
    ///
    /// 201 as soon as the order is stored; with `Prefer: wait=5`, once it is decided, at most 5 seconds later.
    #[oai(path = "/orders", method = "post", operation_id = "place_order")]
    async fn place_order(
        &self,
        caller: Caller<PlaceOrder>,
        #[oai(name = "Idempotency-Key")] key: RequiredKey,
        #[oai(name = "Prefer")] prefer: Prefer,
        body: Body<NewOrder>,
    ) -> Answer<Order, 201> {
        let command = PlaceOrder { order: body.0 };
        let answer = caller.send(&command, key).await?;
        let wait = grant(&caller.context.gateway.waits, prefer.0);
        let seconds = wait.as_ref().map(|wait| wait.seconds);
        let mut decided = pin!(until_decided(&caller, answer.reply, Duration::from_secs(seconds.unwrap_or_default())));
        // An order that is charged at once is work of the shop. One that waits for its buyer holds no slot.
        let work = if command.order.payment.is_some() { IN_TIME } else { Duration::ZERO };
        let order = match timeout(work, &mut decided).await {
            Ok(order) => order,
            Err(_) => {
                caller.context.answered();
                decided.await
            }
        };
        drop(wait);
        let path = format!("{BASE}/orders/{}", order.id);
        Ok(Reply::versioned(&order)?.at(&path).replayed(answer.replayed).waited(seconds))
    }

    /// List the caller's orders, newest first
    ///
    /// For a seller: the orders that contain the seller's products, with only those lines.
    #[oai(path = "/orders", method = "get", operation_id = "list_orders")]
    async fn list_orders(
        &self,
        caller: Caller<ListOrders>,
        status: Query<Option<OrderStatus>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<Option<u32>>,
        #[oai(validator(minimum(value = "0"), maximum(value = "10000")))] offset: Query<Option<u32>>,
        /// `next_cursor` or `prev_cursor` of another page.
        #[oai(validator(max_length = 500))]
        cursor: Query<Option<String>>,
    ) -> Answer<Orders> {
        let page = page(limit, offset, cursor);
        let query = ListOrders { status: status.0, page };
        Reply::new(&caller.ask(&query).await?)
    }

    /// Get an order by id or number
    #[oai(path = "/orders/:id", method = "get", operation_id = "get_order")]
    async fn get_order(
        &self,
        caller: Caller<GetOrder>,
        id: Path<String>,
        #[oai(name = "If-None-Match")] known: IfNoneMatch,
    ) -> Result<Fresh<Order>, ApiError> {
        let order = caller.ask(&GetOrder { id: id.0 }).await?;
        Ok(Reply::versioned(&order)?.unless(&known))
    }

    /// Get the history of an order
    #[oai(path = "/orders/:id/history", method = "get", operation_id = "get_history")]
    async fn get_history(&self, caller: Caller<GetHistory>, id: Path<String>) -> Answer<History> {
        Reply::new(&caller.ask(&GetHistory { id: id.0 }).await?)
    }

    /// Follow an order
    ///
    /// Server-sent events named `status`: the id is the order's version, the data is the order. The stream ends when
    /// the order is final; a client that was disconnected resumes with `Last-Event-ID`.
    #[oai(path = "/orders/:id/stream", method = "get", operation_id = "stream_order")]
    async fn stream_order(
        &self,
        caller: Caller<GetOrder>,
        id: Path<String>,
        #[oai(name = "Last-Event-ID")] seen: LastEventId,
    ) -> Result<EventStream<Follow>, ApiError> {
        let order = caller.ask(&GetOrder { id: id.0 }).await?;
        EventStream::open(Follow::open((*caller).clone(), &order, seen.0.unwrap_or_default())).await
    }

    /// Cancel an order
    ///
    /// By its id or number. Returns its stock and refunds its payment.
    #[oai(path = "/orders/:id/cancel", method = "post", operation_id = "cancel_order")]
    async fn cancel_order(
        &self,
        caller: Caller<CancelOrder>,
        id: Path<String>,
        #[oai(name = "Idempotency-Key")] key: Key,
        body: OptionalBody<Cancellation>,
    ) -> Answer<Order> {
        let order_id = id.as_str().into();
        let command = CancelOrder { order_id, reason: body.0.reason };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }

    /// Update an order's status
    ///
    /// By its id or number.
    #[oai(path = "/orders/:id/status", method = "put", operation_id = "set_status")]
    async fn set_status(
        &self,
        caller: Caller<SetStatus>,
        id: Path<String>,
        #[oai(name = "Idempotency-Key")] key: Key,
        #[oai(name = "If-Match")] expected: IfMatch,
        body: Body<StatusChange>,
    ) -> Answer<Order> {
        let command = SetStatus { order_id: id.as_str().into(), change: body.0, expected_version: expected.0 };
        let answer = caller.send(&command, key).await?;
        Ok(Reply::versioned(&answer.reply)?.replayed(answer.replayed))
    }
}
