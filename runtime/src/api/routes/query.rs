//! Type-erased queries: decoding one returns the closure that answers it.

use std::sync::Arc;

use contract::{CallError, DecodeError, ErrorBody, Format, Query, UnknownFields};
use futures::future::{BoxFuture, FutureExt};
use sqlx::PgPool;

use super::RequestMeta;
use crate::{
    api::{
        context::{Context, ServiceContext},
        domain::{Answer, AnswerBatch, QueryEnvelope},
        service::Serve,
        sql::Reads,
    },
    batcher::Batcher,
    error::{InternalError, QueryError, QueryResult},
};

/// A query that a domain or a service answers.
#[derive(Clone)]
pub(crate) struct QueryRoute {
    pub meta: RequestMeta,
    /// Whether concurrent requests are answered with one read.
    pub is_batched: bool,
    pub decode: Arc<dyn Fn(Format, &[u8]) -> Result<DecodedQuery, DecodeError> + Send + Sync>,
}

/// Answers a decoded query. May be called again after an internal error.
pub(crate) type DecodedQuery = Box<dyn Fn(QueryContext, Format) -> BoxFuture<'static, QueryOutcome> + Send + Sync>;

/// The outcome of a query: a reply in the format of the request or a domain error, or an internal error.
pub(crate) type QueryOutcome = Result<Result<Vec<u8>, Box<ErrorBody>>, InternalError>;

/// The context of a query. `db` is `None` in a service, which has no database.
#[derive(Clone)]
pub(crate) struct QueryContext {
    pub request: ServiceContext,
    pub db: Option<PgPool>,
}

impl QueryContext {
    fn of_domain(self) -> Result<Context, InternalError> {
        let db = self.db.ok_or_else(|| InternalError::other("a domain's query was sent to a service"))?;
        Ok(Context { request: self.request, db })
    }
}

impl QueryRoute {
    pub(crate) fn one<D: Answer<Q>, Q: Query>(domain: Arc<D>) -> Self {
        Self::new(false, move |cx: QueryContext, query: Arc<Q>| {
            let domain = domain.clone();
            async move { domain.answer(&cx.of_domain()?, &query).await }
        })
    }

    pub(crate) fn of_service<S: Serve<Q>, Q: Query>(service: Arc<S>) -> Self {
        Self::new(false, move |cx: QueryContext, query: Arc<Q>| {
            let service = service.clone();
            async move { service.serve(&cx.request, &query).await }
        })
    }

    pub(crate) fn batch<D: AnswerBatch<Q>, Q: Query>(domain: Arc<D>) -> Self {
        let loader = domain.clone();
        let load = move |db: PgPool, queries: Vec<Arc<QueryEnvelope<Q>>>| {
            let domain = loader.clone();
            async move {
                let queries: Vec<_> = queries.iter().map(AsRef::as_ref).collect();
                domain.load(Reads::of_pool(&db), &queries).await
            }
            .boxed()
        };
        let batcher = Batcher::new(Q::OPERATION, 2, Box::new(load));
        Self::new(true, move |cx: QueryContext, message: Arc<Q>| {
            let (domain, batcher) = (domain.clone(), batcher.clone());
            async move {
                let cx = cx.of_domain()?;
                let query = Arc::new(QueryEnvelope { message, caller: cx.caller().clone() });
                let loaded = batcher.load(&cx.db, query.clone()).await?;
                domain.answer(&cx, &query.message, loaded).await
            }
        })
    }

    fn new<Q: Query, A, F>(is_batched: bool, answer: A) -> Self
    where
        A: Fn(QueryContext, Arc<Q>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = QueryResult<Q::Reply, Q::Error>> + Send + 'static,
    {
        let decode = move |format: Format, body: &[u8]| {
            let message: Q = format.decode_request(body, UnknownFields::Ignore)?;
            let (message, answer) = (Arc::new(message), answer.clone());
            let answer: DecodedQuery = Box::new(move |cx, format| {
                let answered = answer(cx, message.clone());
                async move { outcome::<Q>(answered.await, format) }.boxed()
            });
            Ok(answer)
        };
        Self { meta: RequestMeta::of::<Q>(false), is_batched, decode: Arc::new(decode) }
    }
}

fn outcome<Q: Query>(answered: QueryResult<Q::Reply, Q::Error>, format: Format) -> QueryOutcome {
    match answered {
        Ok(reply) => Ok(Ok(format.encode(&reply).map_err(InternalError::other)?)),
        Err(QueryError::Rejected(error)) => Ok(Err(Box::new(CallError::Rejected(error).body(Q::DOMAIN, "")))),
        Err(QueryError::Broken(internal_error)) => Err(internal_error),
    }
}
