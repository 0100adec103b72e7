//! Types for what a store function may do to the database: [`Reads`], [`Locks`], [`Writes`] and [`LastWrites`].
//!
//! sqlx does not distinguish a `select` from an `insert`. Builds with debug assertions, which include all tests,
//! therefore check each statement. A statement that does not match its type fails with an error.

mod columns;
mod last;
mod statement;

use std::{
    fmt::{self, Debug, Formatter},
    sync::atomic::{AtomicBool, Ordering},
};

use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use sqlx::{
    Describe, Either, Error, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr,
    error::BoxDynError,
    postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};

pub(crate) use last::Collected;
pub use last::{LastWrite, LastWrites};
pub use statement::Allowed;

macro_rules! on_source {
    ($source:expr, $db:ident => $call:expr) => {
        match $source {
            Source::Pool($db) => $call,
            Source::Connection($db) => $call,
        }
    };
}

/// The calls that run no statement.
macro_rules! unchecked {
    ($source:tt) => {
        fn prepare_with<'e>(
            self,
            sql: SqlStr,
            parameters: &'e [PgTypeInfo],
        ) -> BoxFuture<'e, Result<PgStatement, Error>>
        where
            'c: 'e,
        {
            on_source!(self.$source, db => db.prepare_with(sql, parameters))
        }

        fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
        where
            'c: 'e,
        {
            on_source!(self.$source, db => db.describe(sql))
        }
    };
}

/// Runs plain selects.
pub struct Reads<'c>(Source<'c>);

/// Runs selects that lock the rows they find.
pub struct Locks<'c>(Source<'c>);

/// Runs all statements, and records whether a row was written: an `insert ... on conflict do nothing` that meets an
/// existing row writes nothing.
pub struct Writes<'c> {
    source: Source<'c>,
    wrote: Option<&'c AtomicBool>,
}

enum Source<'c> {
    Pool(&'c PgPool),
    Connection(&'c mut PgConnection),
}

impl Source<'_> {
    fn reborrow(&mut self) -> Source<'_> {
        match self {
            Self::Pool(pool) => Source::Pool(pool),
            Self::Connection(connection) => Source::Connection(connection),
        }
    }
}

impl<'c> Reads<'c> {
    pub(crate) fn of_pool(pool: &'c PgPool) -> Self {
        Self(Source::Pool(pool))
    }
}

/// Reads rows in the transaction that locked them.
impl<'c> From<Locks<'c>> for Reads<'c> {
    fn from(locks: Locks<'c>) -> Self {
        Self(locks.0)
    }
}

impl<'c> Writes<'c> {
    /// Runs on a pool: each statement commits on its own.
    pub(crate) fn of_pool(pool: &'c PgPool) -> Self {
        Self { source: Source::Pool(pool), wrote: None }
    }

    pub(crate) fn of_connection(connection: &'c mut PgConnection, wrote: &'c AtomicBool) -> Self {
        Self { source: Source::Connection(connection), wrote: Some(wrote) }
    }

    /// The same again, for the first of several statements of one function.
    pub fn reborrow(&mut self) -> Writes<'_> {
        Writes { source: self.source.reborrow(), wrote: self.wrote }
    }
}

impl Debug for Writes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Writes")
    }
}

impl<'c> Executor<'c> for Writes<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let results = on_source!(self.source, db => db.fetch_many(query));
        let note = move |result: &Either<PgQueryResult, PgRow>| {
            let has_row = result.as_ref().either(|done| done.rows_affected() > 0, |_| true);
            if let Some(wrote) = self.wrote.filter(|_| has_row) {
                wrote.store(true, Ordering::Relaxed);
            }
        };
        results.inspect_ok(note).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let results = self.fetch_many(query);
        let keep = |first: Option<PgRow>, result: Either<PgQueryResult, PgRow>| {
            future::ready(Ok(first.or_else(|| result.right())))
        };
        results.try_fold(None, keep).boxed()
    }

    unchecked!(source);
}

/// A statement that passed [`Allowed::check`].
struct Checked {
    sql: SqlStr,
    statement: Option<PgStatement>,
    arguments: Result<Option<PgArguments>, BoxDynError>,
    persistent: bool,
}

impl Checked {
    fn new<'q>(mut query: impl Execute<'q, Postgres>, allowed: Allowed) -> Result<Self, Error> {
        let statement = query.statement().cloned();
        let arguments = query.take_arguments();
        let persistent = query.persistent();
        let sql = query.sql();
        allowed.check(sql.as_str()).map_err(Error::InvalidArgument)?;
        Ok(Self { sql, statement, arguments, persistent })
    }
}

impl Execute<'_, Postgres> for Checked {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        std::mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

macro_rules! executor {
    ($($name:ident)+) => {$(
        impl<'c> $name<'c> {
            pub(crate) fn of_connection(connection: &'c mut PgConnection) -> Self {
                Self(Source::Connection(connection))
            }

            /// The same again, for the first of several statements of one function.
            pub fn reborrow(&mut self) -> $name<'_> {
                $name(self.0.reborrow())
            }
        }

        impl Debug for $name<'_> {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<'c> Executor<'c> for $name<'c> {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                if !cfg!(debug_assertions) {
                    return on_source!(self.0, db => db.fetch_many(query));
                }
                match Checked::new(query, Allowed::$name) {
                    Ok(query) => on_source!(self.0, db => db.fetch_many(query)),
                    Err(error) => stream::once(future::ready(Err(error))).boxed(),
                }
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                if !cfg!(debug_assertions) {
                    return on_source!(self.0, db => db.fetch_optional(query));
                }
                match Checked::new(query, Allowed::$name) {
                    Ok(query) => on_source!(self.0, db => db.fetch_optional(query)),
                    Err(error) => future::ready(Err(error)).boxed(),
                }
            }

            unchecked!(0);
        }
    )+};
}
executor!(Reads Locks);
