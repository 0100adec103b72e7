//! The interface for domain authors: the domain, its handlers, and one registration line per message.

use std::{future::Future, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use contract::{Command, Event, Query};
use futures::future::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::{
    api::{
        caller::Caller,
        context::Context,
        routes::{
            CommandRoute, DeadlineRoute, EffectRoute, EventRoute, Outcome, PrepareCommand, QueryRoute, Registration,
            Routes, Run, one_by_one, prepared, together, unprepared,
        },
        sql::{Reads, Writes},
        tx::{Cause, Tx},
    },
    error::{HandlerResult, InternalError, PrepareError, QueryResult},
};

/// A domain: its name, its tables, and one registration line per message.
pub trait Domain: Send + Sync + Sized + 'static {
    /// The name, which its subjects, its database and its stream are named after.
    const NAME: &'static str;

    /// The migrations of its own database, numbered from 1001; lower numbers are the runtime's.
    fn migrations() -> Migrator;

    /// Registers the messages that the domain answers or reacts to, one line each.
    fn register(routes: &mut Registry<Self>);
}

/// Answers a query, from a pool or from memory.
pub trait Answer<Q: Query>: Domain {
    /// The answer.
    fn answer(&self, cx: &Context, query: &Q) -> impl Future<Output = QueryResult<Q::Reply, Q::Error>> + Send;
}

/// A query in a batch.
#[derive(Debug)]
pub struct QueryEnvelope<Q> {
    /// The query.
    pub message: Arc<Q>,
    /// The caller.
    pub caller: Caller,
}

/// Answers a query whose rows are read together with those of the requests that arrived at the same time.
///
/// Requests that arrive while a batch is read form the next one, so that a query under load costs a fraction of a
/// statement. A request waits only while two batches run. Authorization, deadline and error remain those of each
/// request.
pub trait AnswerBatch<Q: Query>: Domain {
    /// The rows that were read for one query.
    type Loaded: Send + 'static;

    /// Reads for a batch, one value per query, in order. Use one statement, so that all values come from one snapshot.
    ///
    /// # Errors
    /// If data causes the error, the batch is halved until the query that fails is alone.
    fn load(
        &self,
        db: Reads<'_>,
        queries: &[&QueryEnvelope<Q>],
    ) -> impl Future<Output = Result<Vec<Self::Loaded>, InternalError>> + Send;

    /// The answer to one of them.
    fn answer(
        &self,
        cx: &Context,
        query: &Q,
        loaded: Self::Loaded,
    ) -> impl Future<Output = QueryResult<Q::Reply, Q::Error>> + Send;
}

/// A command envelope: a command in its lane.
#[derive(Debug)]
pub struct CommandEnvelope<C, P = ()> {
    /// The command.
    pub message: C,
    /// The result of `prepare`.
    pub prepared: P,
    /// The caller.
    pub caller: Caller,
    /// The digest of the capability in the request, which may have an access token too.
    pub capability: Option<Uuid>,
    /// The cause of the events that it emits.
    pub cause: Cause,
}

/// Does work for a command that takes longer than a statement, before its lane: hashes a password, queries another
/// domain.
pub trait Prepare<C: Command>: Domain {
    /// The value that is passed to the handler.
    type Prepared: Send + Sync + 'static;

    /// Runs outside any transaction. The result must include the version of every row of the domain that it relied on,
    /// for the handler to compare under lock.
    fn prepare(
        &self,
        cx: &Context,
        command: &C,
    ) -> impl Future<Output = Result<Self::Prepared, PrepareError<C::Error>>> + Send;
}

/// Handles a command, one at a time. `P` is the result of its [`Prepare`].
pub trait Handle<C: Command, P = ()>: Domain {
    /// Compares the versions that `prepare` relied on ([`HandleError::Stale`](crate::HandleError::Stale) if one has
    /// changed), decides, then writes.
    fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<C, P>,
    ) -> impl Future<Output = HandlerResult<C::Reply, C::Error>> + Send;
}

/// Handles a whole batch of a command with set-based SQL, for the hot paths. `P` is the result of its [`Prepare`].
pub trait HandleBatch<C: Command, P = ()>: Domain {
    /// Returns one outcome per command, in order. A rejected command must have written nothing; if it has left an event
    /// or an effect, the batch fails.
    fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<C, P>],
    ) -> impl Future<Output = Result<Vec<HandlerResult<C::Reply, C::Error>>, InternalError>> + Send;
}

/// An event envelope: an event in its lane. It is handled once, even if the broker loses, repeats or reorders messages;
/// events of one entity may arrive in any order.
#[derive(Debug)]
pub struct EventEnvelope<E> {
    /// The event.
    pub message: E,
    /// The entity's version after it.
    pub version: i64,
    /// The time of its commit, by the owner's database.
    pub at: DateTime<Utc>,
    /// The cause of the events that it leads to.
    pub cause: Cause,
}

/// Reacts to events, including those of the domain's own log.
///
/// A batch is handled in one call, whatever the types of its events, so that a domain that locks the rows of a batch in
/// the order of their keys never deadlocks with itself, however many lanes and nodes run.
pub trait React: Domain {
    /// The input of a batch: `EventEnvelope<E>` if the domain reacts to one type of event, otherwise a type of its own
    /// with `From<EventEnvelope<E>>` for each.
    type Input: Send + Sync + 'static;

    /// Handles a batch, in the order of arrival: decides, then writes.
    ///
    /// # Errors
    /// An error rolls the whole batch back; it is retried, or halved until the event that fails is alone.
    fn react(&self, tx: &mut Tx<'_>, inputs: &[&Self::Input])
    -> impl Future<Output = Result<(), InternalError>> + Send;
}

/// A projection: stores a read model and emits nothing, no events and no effects, and no other row is derived from it.
/// So it can be reset and rebuilt from the log (`souk replay <source> --into <domain>`).
pub trait Projection<E: Event>: Domain {
    /// Resets what was stored from `E`, including its versions: every event that follows must be accepted. Rows that
    /// are shown may remain until then.
    fn reset(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<(), InternalError>> + Send;
}

/// A call of an external system, left in a commit.
pub trait Effect: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in its domain.
    const NAME: &'static str;
}

/// An effect result.
#[derive(Debug)]
pub struct EffectResult<F, O> {
    /// The effect.
    pub effect: F,
    /// The outcome.
    pub outcome: O,
    /// The effect's id.
    pub id: Uuid,
    /// The entity it belongs to.
    pub entity: Uuid,
    /// The cause of the events that it emits.
    pub cause: Cause,
}

/// Performs an effect.
pub trait EffectHandler<F: Effect>: Domain {
    /// The outcome.
    type Outcome: Send + Sync + 'static;

    /// Calls the external system with `id` as idempotency key: at least once, for at most 10 s.
    fn perform(
        &self,
        cx: &Context,
        id: Uuid,
        effect: &F,
    ) -> impl Future<Output = Result<Self::Outcome, InternalError>> + Send;

    /// Writes the outcomes, once, in the lane of the entity.
    fn finish(
        &self,
        tx: &mut Tx<'_>,
        results: &[&EffectResult<F, Self::Outcome>],
    ) -> impl Future<Output = Result<(), InternalError>> + Send;
}

/// Finds due deadlines. Deadlines are columns; the database's clock decides.
///
/// Only the column records whether a deadline was handled: the command may run twice, also on two nodes at the same
/// time. Its handler locks the row, does nothing if the deadline no longer applies, and otherwise writes what ends it.
pub trait DeadlineSource<C: Command>: Domain {
    /// Returns due deadlines with the commands that handle them, at most `limit`. Of several with one key, the first
    /// runs.
    fn due(
        &self,
        db: Reads<'_>,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<(DateTime<Utc>, C)>, InternalError>> + Send;
}

/// Deletes rows that have passed their retention.
pub trait Retention: Domain {
    /// Deletes at most `limit` of them, and returns how many. One node calls it repeatedly, until it deletes fewer than
    /// `limit`.
    fn delete_expired(&self, db: Writes<'_>, limit: u64) -> impl Future<Output = Result<u64, InternalError>> + Send;
}

/// History that a domain keeps beyond its log, and trims when the operator trims the log.
pub trait History: Domain {
    /// Trims at most `limit` rows that are older than `older_than`, and returns how many. Called repeatedly, until it
    /// trims fewer than `limit`, by one caller at a time.
    fn trim(
        &self,
        db: Writes<'_>,
        older_than: Duration,
        limit: u64,
    ) -> impl Future<Output = Result<u64, InternalError>> + Send;
}

/// Collects what a domain answers, calls and reacts to.
pub struct Registry<D> {
    /// `None` if the registrations alone are collected ([`Uses`](crate::Uses)).
    domain: Option<Arc<D>>,
    pub(crate) routes: Routes,
}

impl<D: Domain> Registry<D> {
    /// The registrations of a domain, with its handlers if there is an instance.
    pub(crate) fn of(domain: Option<Arc<D>>) -> Self {
        let mut registry = Self { domain, routes: Routes::default() };
        D::register(&mut registry);
        registry
    }

    fn add(&mut self, registration: Registration, handler: impl FnOnce(&mut Routes, Arc<D>)) {
        self.routes.registrations.push(registration);
        if let Some(domain) = self.domain.clone() {
            handler(&mut self.routes, domain);
        }
    }

    /// Answers the query `Q`.
    pub fn query<Q: Query>(&mut self)
    where
        D: Answer<Q>,
    {
        self.add(Registration::request::<Q>(), |routes, domain| routes.queries.push(QueryRoute::one::<D, Q>(domain)));
    }

    /// Answers the query `Q`, and reads for concurrent requests with one statement.
    pub fn batched_query<Q: Query>(&mut self)
    where
        D: AnswerBatch<Q>,
    {
        self.add(Registration::request::<Q>(), |routes, domain| routes.queries.push(QueryRoute::batch::<D, Q>(domain)));
    }

    /// Sends the query `Q` to another domain. [`ask`](crate::ServiceContext::ask) sends no other queries, and the
    /// domain's NATS user may send no others.
    pub fn calls<Q: Query>(&mut self) {
        self.routes.registrations.push(Registration::call::<Q>());
    }

    /// Handles the command `C`, one at a time.
    pub fn command<C: Command>(&mut self)
    where
        D: Handle<C>,
    {
        self.add_command::<C>(|domain| (unprepared::<C>(), one_by_one::<D, C, ()>(domain)));
    }

    /// Handles the command `C` after its `prepare`, one at a time.
    pub fn prepared_command<C: Command>(&mut self)
    where
        D: Prepare<C> + Handle<C, <D as Prepare<C>>::Prepared>,
    {
        self.add_command::<C>(|domain| (prepared(domain.clone()), one_by_one::<D, C, D::Prepared>(domain)));
    }

    /// Handles the command `C`, a whole batch at a time.
    pub fn batched_command<C: Command>(&mut self)
    where
        D: HandleBatch<C>,
    {
        self.add_command::<C>(|domain| (unprepared::<C>(), together::<D, C, ()>(domain)));
    }

    /// Handles the command `C` after its `prepare`, a whole batch at a time.
    pub fn prepared_batched_command<C: Command>(&mut self)
    where
        D: Prepare<C> + HandleBatch<C, <D as Prepare<C>>::Prepared>,
    {
        self.add_command::<C>(|domain| (prepared(domain.clone()), together::<D, C, D::Prepared>(domain)));
    }

    fn add_command<C: Command>(&mut self, forms: impl FnOnce(Arc<D>) -> (Arc<PrepareCommand>, Run<Vec<Outcome>>)) {
        self.add(Registration::request::<C>(), |routes, domain| {
            let (prepare, run) = forms(domain);
            routes.commands.push(CommandRoute::new::<C>(prepare, run));
        });
    }

    /// Reacts to the event `E`.
    pub fn event<E: Event>(&mut self)
    where
        D: React,
        EventEnvelope<E>: Into<D::Input>,
    {
        self.add(Registration::event::<E>(), |routes, domain| routes.events.push(EventRoute::new::<D, E>(domain)));
    }

    /// Reacts to the event `E` with a projection.
    pub fn projection<E: Event>(&mut self)
    where
        D: React + Projection<E>,
        EventEnvelope<E>: Into<D::Input>,
    {
        self.add(Registration::event::<E>(), |routes, domain| {
            routes.events.push(EventRoute::new::<D, E>(domain.clone()).with_projection::<D, E>(domain));
        });
    }

    /// Performs the effect `F`.
    pub fn effect<F: Effect>(&mut self)
    where
        D: EffectHandler<F>,
    {
        self.add(Registration::effect::<F>(), |routes, domain| routes.effects.push(EffectRoute::new::<D, F>(domain)));
    }

    /// Runs the command `C`, which must be registered too, for every due deadline.
    pub fn deadline<C: Command>(&mut self)
    where
        D: DeadlineSource<C>,
    {
        self.add(Registration::deadline::<C>(), |routes, domain| {
            routes.deadlines.push(DeadlineRoute::new::<D, C>(domain));
        });
    }

    /// Registers the domain's history ([`History`]).
    pub fn history(&mut self)
    where
        D: History,
    {
        if let Some(domain) = self.domain.clone() {
            self.routes.history = Some(Arc::new(move |db, older_than, limit| {
                let domain = domain.clone();
                async move { domain.trim(Writes::of_pool(&db), older_than, limit).await }.boxed()
            }));
        }
    }

    /// Registers the domain's retention ([`Retention`]).
    pub fn retention(&mut self)
    where
        D: Retention,
    {
        if let Some(domain) = self.domain.clone() {
            self.routes.maintenance_jobs.push(Arc::new(move |db, limit| {
                let domain = domain.clone();
                async move { domain.delete_expired(Writes::of_pool(&db), limit).await }.boxed()
            }));
        }
    }
}
