//! What a domain author writes: the domain, its handlers, one registration line per message.

use std::{future::Future, sync::Arc};

use chrono::{DateTime, Utc};
use contract::{Command, Event, Query};
use futures::future::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::{
    caller::Caller,
    context::Context,
    failure::{Answered, Breakage, Handled, PrepareError},
    operation::{
        Before, CommandRoute, DeadlineRoute, DeadlineSource, EffectHandler, EffectRoute, EventRoute, Handling,
        NotPrepared, OneByOne, Prepared, QueryRoute, Registration, Routes, Together, TypedCommand,
    },
    sql::{Reads, Writes},
    tx::{Cause, Tx},
};

/// A domain: its name, its tables, and one registration line per message.
pub trait Domain: Send + Sync + Sized + 'static {
    /// The name: of its subjects, its database, its stream.
    const NAME: &'static str;

    /// The migrations of its own database, numbered from 1001; lower numbers are the runtime's.
    fn migrations() -> Migrator;

    /// One line per message it answers or reacts to.
    fn register(routes: &mut Registry<Self>);
}

/// Answers a query, straight from a pool or from memory.
pub trait Answer<Q: Query>: Domain {
    /// The answer.
    fn answer(&self, cx: &Context, query: &Q) -> impl Future<Output = Answered<Q::Reply, Q::Error>> + Send;
}

/// A query in a batch.
#[derive(Debug)]
pub struct Queried<Q> {
    /// The query.
    pub message: Arc<Q>,
    /// Who asks.
    pub caller: Caller,
}

/// Answers a query whose rows are read together with those of the requests that arrived at the same time.
///
/// Requests that arrive while a batch is being read form the next one, so that a query under load costs a share of a
/// statement. It waits only while two batches run. Rights, deadline and error stay those of each request.
pub trait AnswerBatch<Q: Query>: Domain {
    /// What was read for one query.
    type Loaded: Send + 'static;

    /// Reads for a batch, one value per query in their order. One statement, so that all come from one moment.
    ///
    /// # Errors
    /// Where data is the reason, the batch is halved until the query that fails stands alone.
    fn load(
        &self,
        db: Reads<'_>,
        queries: &[&Queried<Q>],
    ) -> impl Future<Output = Result<Vec<Self::Loaded>, Breakage>> + Send;

    /// The answer to one of them.
    fn answer(
        &self,
        cx: &Context,
        query: &Q,
        loaded: Self::Loaded,
    ) -> impl Future<Output = Answered<Q::Reply, Q::Error>> + Send;
}

/// A command on its way through a lane.
#[derive(Debug)]
pub struct Commanded<C, P = ()> {
    /// The command.
    pub message: C,
    /// What `prepare` found out.
    pub prepared: P,
    /// Who asks.
    pub caller: Caller,
    /// The digest of the capability that came along, beside an access token too.
    pub capability: Option<Uuid>,
    /// For the events it causes.
    pub cause: Cause,
}

/// Finds out for a command what takes longer than a statement, before its lane: hashes a password, asks another domain.
pub trait Prepare<C: Command>: Domain {
    /// What the handler gets.
    type Prepared: Send + Sync + 'static;

    /// Runs outside any transaction. It must name the version of every own row that it relied on, for the handler to compare
    /// under lock.
    fn prepare(
        &self,
        cx: &Context,
        command: &C,
    ) -> impl Future<Output = Result<Self::Prepared, PrepareError<C::Error>>> + Send;
}

/// Handles a command, one at a time. `P` is what its [`Prepare`] found out.
pub trait Handle<C: Command, P = ()>: Domain {
    /// Compares the versions that `prepare` relied on ([`HandleError::Stale`](crate::HandleError::Stale) where one has
    /// changed), decides, then writes.
    fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &Commanded<C, P>,
    ) -> impl Future<Output = Handled<C::Reply, C::Error>> + Send;
}

/// Handles a whole batch of a command with set-based SQL, for the hot paths. `P` is what its [`Prepare`] found out.
pub trait HandleBatch<C: Command, P = ()>: Domain {
    /// One outcome per command, in their order. A rejected command must have written nothing; where it has left an event or an
    /// effect, the batch fails.
    fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&Commanded<C, P>],
    ) -> impl Future<Output = Result<Vec<Handled<C::Reply, C::Error>>, Breakage>> + Send;
}

/// An event on its way through a lane. It is handled once, whatever the broker lost, repeated or reordered;
/// events of one entity may come in any order.
#[derive(Debug)]
pub struct Delivered<E> {
    /// The event.
    pub message: E,
    /// The entity's version after it.
    pub version: i64,
    /// The time of its commit, by the owner's database.
    pub at: DateTime<Utc>,
    /// For the events it causes in turn.
    pub cause: Cause,
}

/// Reacts to events, of its own log too.
///
/// A batch comes as one call, whatever the types of its events, so that a domain which locks the rows of a batch in the order
/// of their keys never deadlocks with itself, however many lanes and nodes run.
pub trait React: Domain {
    /// What a batch consists of: `Delivered<E>` where the domain reacts to one type of event, else a type of its own with
    /// `From<Delivered<E>>` for each.
    type Input: Send + Sync + 'static;

    /// Handles a batch, in the order of arrival: decides, then writes.
    ///
    /// # Errors
    /// An error rolls the whole batch back; it is repeated, or halved until the event that fails stands alone.
    fn react(&self, tx: &mut Tx<'_>, inputs: &[&Self::Input]) -> impl Future<Output = Result<(), Breakage>> + Send;
}

/// Keeps what it is told, and does nothing else with it: no events, no effects, nothing that another row follows from.
/// So it may be forgotten and told again from the log (`souk replay <source> --into <domain>`).
pub trait Project<E: Event>: Domain {
    /// Forgets all that was made of `E`, also how new it was: whatever comes next must be taken. What is shown may
    /// stand until then.
    fn forget(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<(), Breakage>> + Send;
}

/// Work for the outside world, left in a commit.
pub trait Effect: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in its domain.
    const NAME: &'static str;
}

/// An effect that was performed.
#[derive(Debug)]
pub struct Performed<F, O> {
    /// The effect.
    pub effect: F,
    /// What came of it.
    pub outcome: O,
    /// The effect's id.
    pub id: Uuid,
    /// The entity it belongs to.
    pub entity: Uuid,
    /// For the events it causes.
    pub cause: Cause,
}

/// Performs an effect.
pub trait Perform<F: Effect>: Domain {
    /// What came of it.
    type Outcome: Send + Sync + 'static;

    /// Calls the outside world with `id` as idempotency key: at least once, at most 10 s.
    fn perform(
        &self,
        cx: &Context,
        id: Uuid,
        effect: &F,
    ) -> impl Future<Output = Result<Self::Outcome, Breakage>> + Send;

    /// Writes what came of it, once, in the lane of the entity.
    fn finish(
        &self,
        tx: &mut Tx<'_>,
        performed: &[&Performed<F, Self::Outcome>],
    ) -> impl Future<Output = Result<(), Breakage>> + Send;
}

/// Finds what is due. Deadlines are columns; the database's clock decides.
///
/// The column is all that says whether a deadline was acted on: the command may come twice, from two nodes at once too.
/// Its handler locks the row, does nothing where the deadline does not stand any more, and else writes what ends it.
pub trait Due<C: Command>: Domain {
    /// The deadlines that are over, with the commands that act on them; `limit` at most.
    fn due(&self, db: Reads<'_>, limit: i64) -> impl Future<Output = Result<Vec<(DateTime<Utc>, C)>, Breakage>> + Send;
}

/// Has rows that nobody needs any more, after a while.
pub trait Tidy: Domain {
    /// Deletes some of them, `limit` at most; gives how many. One node runs it, again and again until it comes back short.
    fn tidy(&self, db: Writes<'_>, limit: u64) -> impl Future<Output = Result<u64, Breakage>> + Send;
}

/// Collects what a domain answers and reacts to.
pub struct Registry<D> {
    domain: Arc<D>,
    pub(crate) routes: Routes,
}

impl<D: Domain> Registry<D> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, routes: Routes::default() }
    }

    /// Answers the query `Q`.
    pub fn query<Q: Query>(&mut self)
    where
        D: Answer<Q>,
    {
        self.routes.registrations.push(Registration::request::<Q>());
        self.routes.queries.push(QueryRoute::one::<D, Q>(self.domain.clone()));
    }

    /// Answers the query `Q`, and reads for all that arrive together with one statement.
    pub fn batched_query<Q: Query>(&mut self)
    where
        D: AnswerBatch<Q>,
    {
        self.routes.registrations.push(Registration::request::<Q>());
        self.routes.queries.push(QueryRoute::batch::<D, Q>(self.domain.clone()));
    }

    /// Handles the command `C`, one at a time.
    pub fn command<C: Command>(&mut self)
    where
        D: Handle<C>,
    {
        self.add_command::<C, NotPrepared, OneByOne>();
    }

    /// Handles the command `C` after its `prepare`, one at a time.
    pub fn prepared_command<C: Command>(&mut self)
    where
        D: Prepare<C> + Handle<C, <D as Prepare<C>>::Prepared>,
    {
        self.add_command::<C, Prepared, OneByOne>();
    }

    /// Handles the command `C`, a whole batch at a time.
    pub fn batched_command<C: Command>(&mut self)
    where
        D: HandleBatch<C>,
    {
        self.add_command::<C, NotPrepared, Together>();
    }

    /// Handles the command `C` after its `prepare`, a whole batch at a time.
    pub fn prepared_batched_command<C: Command>(&mut self)
    where
        D: Prepare<C> + HandleBatch<C, <D as Prepare<C>>::Prepared>,
    {
        self.add_command::<C, Prepared, Together>();
    }

    fn add_command<C: Command, B: Before<D, C>, H: Handling<D, C, B::Prepared>>(&mut self) {
        self.routes.registrations.push(Registration::request::<C>());
        let handler = TypedCommand::<D, C, B, H>::new(self.domain.clone());
        self.routes.commands.push(CommandRoute::new(handler));
    }

    /// Reacts to the event `E`.
    pub fn event<E: Event>(&mut self)
    where
        D: React,
        Delivered<E>: Into<D::Input>,
    {
        self.routes.registrations.push(Registration::event::<E>());
        self.routes.events.push(EventRoute::new::<D, E>(self.domain.clone()));
    }

    /// Reacts to the event `E` by storing what it says, and nothing else.
    pub fn projected_event<E: Event>(&mut self)
    where
        D: React + Project<E>,
        Delivered<E>: Into<D::Input>,
    {
        self.routes.registrations.push(Registration::event::<E>());
        let route = EventRoute::new::<D, E>(self.domain.clone());
        self.routes.events.push(route.with_projection::<D, E>(self.domain.clone()));
    }

    /// Performs the effect `F`.
    pub fn effect<F: Effect>(&mut self)
    where
        D: Perform<F>,
    {
        self.routes.registrations.push(Registration::effect::<F>());
        self.routes.effects.push(EffectRoute::new(EffectHandler::<D, F>::new(self.domain.clone())));
    }

    /// Runs the command `C`, which must be registered too, for every deadline that is over.
    pub fn deadline<C: Command>(&mut self)
    where
        D: Due<C>,
    {
        self.routes.registrations.push(Registration::deadline::<C>());
        self.routes.deadlines.push(DeadlineRoute::new(DeadlineSource::<D, C>::new(self.domain.clone())));
    }

    /// Deletes what nobody needs any more.
    pub fn tidied(&mut self)
    where
        D: Tidy,
    {
        let domain = self.domain.clone();
        self.routes.chores.push(Arc::new(move |db, limit| {
            let domain = domain.clone();
            async move { domain.tidy(Writes::of_pool(&db), limit).await }.boxed()
        }));
    }
}
