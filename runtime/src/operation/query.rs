//! Queries, erased.

use std::{marker::PhantomData, sync::Arc};

use contract::{CallError, ErrorBody, Format, Query, UnknownFields};
use futures::future::{BoxFuture, FutureExt};

use super::RequestMeta;
use crate::{
    context::Context,
    domain::{Answer, Domain},
    failure::{Breakage, Failure},
};

/// A query that a domain answers.
#[derive(Clone)]
pub(crate) struct QueryRoute {
    pub meta: RequestMeta,
    pub handler: Arc<dyn ErasedQuery>,
}

impl QueryRoute {
    pub(crate) fn new<D: Answer<Q>, Q: Query>(handler: QueryHandler<D, Q>) -> Self {
        Self { meta: RequestMeta::of::<Q>(false), handler: Arc::new(handler) }
    }
}

/// A query whose body was read.
pub(crate) struct DecodedQuery {
    pub message: super::Erased,
    pub capability: Option<String>,
}

/// How a query ended: bytes of a reply in the asked format, the domain's error, or a breakage.
pub(crate) enum Answered {
    Reply(Vec<u8>),
    Refused(Box<ErrorBody>),
    Broken(Breakage),
}

pub(crate) trait ErasedQuery: Send + Sync {
    fn decode(&self, format: Format, body: &[u8]) -> Result<DecodedQuery, contract::DecodeError>;
    fn answer<'a>(&'a self, cx: &'a Context, query: &'a DecodedQuery, format: Format) -> BoxFuture<'a, Answered>;
}

pub(crate) struct QueryHandler<D, Q> {
    domain: Arc<D>,
    query: PhantomData<fn(Q)>,
}

impl<D, Q> QueryHandler<D, Q> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, query: PhantomData }
    }
}

impl<D: Domain + Answer<Q>, Q: Query> ErasedQuery for QueryHandler<D, Q> {
    fn decode(&self, format: Format, body: &[u8]) -> Result<DecodedQuery, contract::DecodeError> {
        let message: Q = format.decode_request(body, UnknownFields::Ignore)?;
        let capability = message.capability().map(str::to_owned);
        Ok(DecodedQuery { message: Box::new(message), capability })
    }

    fn answer<'a>(&'a self, cx: &'a Context, query: &'a DecodedQuery, format: Format) -> BoxFuture<'a, Answered> {
        async move {
            let Some(message) = query.message.downcast_ref::<Q>() else {
                return Answered::Broken(Breakage::other("a query came to another query's handler"));
            };
            match self.domain.answer(cx, message).await {
                Ok(reply) => match format.encode(&reply) {
                    Ok(bytes) => Answered::Reply(bytes),
                    Err(error) => Answered::Broken(Breakage::other(error)),
                },
                Err(Failure::Refused(refusal) | Failure::TurnedAway(refusal)) => {
                    Answered::Refused(Box::new(CallError::Refused(refusal).body(D::NAME, "")))
                }
                Err(Failure::Broken(breakage)) => Answered::Broken(breakage),
                Err(Failure::Stale) => Answered::Broken(Breakage::other("a query has nothing to prepare again")),
            }
        }
        .boxed()
    }
}
