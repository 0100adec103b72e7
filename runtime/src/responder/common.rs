//! The operations that every domain serves besides its own: its log for consumers of its events, its stream and its
//! projections for the operator, its dead letters for the operator and for callers with the configured access.

use contract::{Fault, Position, subject::internal};

use super::{Asked, Backed, Endpoint, Sent};
use crate::{
    caller::Caller,
    failure::Breakage,
    log, rebuild,
    refill::{self, RefillRequest},
    trim::{self, ConsumedRequest},
};

impl Backed<'_> {
    pub(super) async fn common(&self, endpoint: &Endpoint, asked: &Asked, caller: Option<Caller>) -> Sent {
        match endpoint {
            Endpoint::Query(_) | Endpoint::Command(_) => Fault::internal(self.domain).into(),
            Endpoint::Log => {
                self.read_log(asked, |pool, request| async move { log::page(&pool, &request).await }).await
            }
            Endpoint::Events => {
                self.read_log(asked, |pool, request| async move { log::events(&pool, &request).await }).await
            }
            Endpoint::DeadLetters(access) => match self.settle_caller(*access, caller, None) {
                Ok(_) => self.list_dead_letters(asked).await,
                Err(fault) => fault.into(),
            },
            Endpoint::Redrive(access) => match self.settle_caller(*access, caller, None) {
                Ok(caller) => self.redrive(asked, &caller).await,
                Err(fault) => fault.into(),
            },
            Endpoint::Refill => {
                self.read_log(
                    asked,
                    |pool, _: RefillRequest| async move { refill::begin(&pool, Position::START).await },
                )
                .await
            }
            Endpoint::Rebuild => {
                self.for_operator(asked, internal::REBUILD, |request| async move {
                    rebuild::begin(self.domain, &self.backing.db.lanes, &self.client, &self.backing.events, &request)
                        .await
                })
                .await
            }
            Endpoint::Consumed => {
                self.for_operator(asked, internal::CONSUMED, |request: ConsumedRequest| async move {
                    trim::consumed(&self.backing.db.lanes, &self.backing.events, &request.source).await.map(Ok)
                })
                .await
            }
            Endpoint::Trim => {
                self.for_operator(asked, internal::TRIM, |request| async move {
                    trim::run(&self.backing.db.lanes, &self.backing.streams, &request).await
                })
                .await
            }
        }
    }

    /// Runs a request of the operator, which may end in a service error.
    async fn for_operator<Q, A, F>(&self, asked: &Asked, operation: &str, run: impl FnOnce(Q) -> F) -> Sent
    where
        Q: serde::de::DeserializeOwned,
        A: serde::Serialize,
        F: Future<Output = Result<Result<A, Fault>, Breakage>>,
    {
        let request = match asked.decode_as() {
            Ok(request) => request,
            Err(fault) => return fault.of(self.domain).into(),
        };
        match run(request).await {
            Ok(Err(fault)) => fault.of(self.domain).into(),
            Ok(Ok(answer)) => match asked.format.encode(&answer) {
                Ok(body) => Sent::Reply { body, replayed: false },
                Err(error) => self.broken(operation, &Breakage::other(error)),
            },
            Err(breakage) => self.broken(operation, &breakage),
        }
    }

    async fn read_log<Q, A, F>(&self, asked: &Asked, read: impl FnOnce(sqlx::PgPool, Q) -> F) -> Sent
    where
        Q: serde::de::DeserializeOwned,
        A: serde::Serialize,
        F: Future<Output = Result<A, Breakage>>,
    {
        let request = match asked.decode_as() {
            Ok(request) => request,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let answer = read(self.backing.db.lanes.clone(), request).await;
        match answer.and_then(|answer| asked.format.encode(&answer).map_err(Breakage::other)) {
            Ok(body) => Sent::Reply { body, replayed: false },
            Err(breakage) => self.broken("log", &breakage),
        }
    }
}
