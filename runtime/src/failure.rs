//! Two levels of failure: a domain error is an answer, an internal error is retried.

use std::sync::Arc;

use contract::{CallError, ErrorKind, Fault, Refusal};

/// An internal error: the transaction is rolled back and the work is retried, and dead-lettered at its limit. If it is
/// uncertain whether a write was committed, return an internal error: the retry reads the rows and decides.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Breakage {
    /// The database failed.
    #[error(transparent)]
    Sql(Arc<sqlx::Error>),
    /// Another domain did not answer, or answered with a service error.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The database server has restarted: an epoch must begin before anything is committed.
    #[error("the era is stale")]
    StaleEra,
    /// An external system did not answer, or its answer is inconclusive. The reason is for the operator.
    #[error("{0}")]
    Unanswered(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Breakage {
    /// An internal error with a reason for the log.
    pub fn other(reason: impl std::fmt::Display) -> Self {
        Self::Other(reason.to_string())
    }

    /// The service error for the caller, which does not contain the reason.
    pub fn fault(&self, service: &str) -> Fault {
        match self {
            Self::Fault(fault) if matches!(fault.kind, ErrorKind::Unavailable | ErrorKind::Deadline) => fault.clone(),
            Self::Sql(error) if blame(error) != Blame::Data => Fault::unavailable(service),
            Self::Unanswered(_) | Self::StaleEra => Fault::unavailable(service),
            _ => Fault::internal(service),
        }
    }

    pub(crate) fn blame(&self) -> Blame {
        match self {
            Self::Sql(error) => blame(error),
            Self::Fault(_) | Self::Unanswered(_) | Self::StaleEra => Blame::Nobody,
            Self::Other(_) => Blame::Data,
        }
    }

    /// See [`is_lost_connection`].
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Sql(error) if is_lost_connection(error))
    }

    /// A unique constraint was violated, either because of the item's data or in a race with another writer of the row.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Sql(error) if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation))
    }
}

impl From<sqlx::Error> for Breakage {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

impl<E: Refusal> From<CallError<E>> for Breakage {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Fault(fault) => Self::Fault(fault),
            CallError::Refused(refusal) => Self::Other(format!("unexpected refusal: {refusal:?}")),
        }
    }
}

/// The retry class of an internal error, which determines how a batch continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Caused by an item: halve the batch until the item is alone.
    Data,
    /// Not caused by an item, but the batch is too large for the server: halve it, and blame no item.
    Size,
    /// Not caused by an item: retry the whole batch.
    Nobody,
}

/// Whether the connection was lost, before or during the statement.
pub(crate) fn is_lost_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // Class 57P: the server ends, has ended or is not up yet.
        sqlx::Error::Database(database) => database.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

fn blame(error: &sqlx::Error) -> Blame {
    let code = match error {
        sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_)
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => return Blame::Data,
        _ => return Blame::Nobody,
    };
    match code.get(..2) {
        // 22: data exception; 23: constraint; 42: invalid statement; P0: raised by a PL/pgSQL function; 0A: not
        // supported.
        Some("22" | "23" | "42" | "P0" | "0A") => Blame::Data,
        Some("53") => Blame::Size,
        // A statement or lock timeout: one item may be the cause, and the others need not wait for it.
        _ if matches!(code.as_str(), "57014" | "55P03") => Blame::Size,
        _ => Blame::Nobody,
    }
}

/// Why a query has no answer.
#[derive(Debug)]
pub enum QueryError<E> {
    /// A domain error: the answer.
    Rejected(E),
    /// An internal error.
    Broken(Breakage),
}

/// Why `prepare` hands nothing to the lane.
#[derive(Debug)]
pub enum PrepareError<E> {
    /// A domain error: the answer. It is stored if the operation keeps its answers, unless its kind is `Malformed`,
    /// `Invalid` or `Unauthenticated`.
    Rejected(E),
    /// A domain error that is not stored, for unauthenticated callers, which could fill the table with it.
    RejectedUnrecorded(E),
    /// An internal error.
    Broken(Breakage),
}

/// Why a command has no reply.
#[derive(Debug)]
pub enum HandleError<E> {
    /// A domain error: the answer. It is stored if the operation keeps its answers, unless its kind is `Malformed`,
    /// `Invalid` or `Unauthenticated`. What the command has written, emitted and left is undone.
    Rejected(E),
    /// A domain error, stored under the same conditions. What the command has written, emitted and left is committed.
    RejectedKeepingWrites(E),
    /// What `prepare` relied on has changed: prepare again, three times at most.
    Stale,
    /// An internal error: rolled back and tried again.
    Broken(Breakage),
}

macro_rules! errors {
    ($($name:ident)+) => {$(
        impl<E: Refusal> From<E> for $name<E> {
            fn from(error: E) -> Self {
                Self::Rejected(error)
            }
        }

        impl<E> From<Breakage> for $name<E> {
            fn from(breakage: Breakage) -> Self {
                Self::Broken(breakage)
            }
        }
    )+};
}
errors!(QueryError PrepareError HandleError);

impl<E> From<QueryError<E>> for PrepareError<E> {
    fn from(error: QueryError<E>) -> Self {
        match error {
            QueryError::Rejected(error) => Self::Rejected(error),
            QueryError::Broken(breakage) => Self::Broken(breakage),
        }
    }
}

/// The result of a query's handler, and of reads for a command before its lane.
pub type Answered<T, E> = Result<T, QueryError<E>>;

/// The result of a command's handler.
pub type Handled<T, E> = Result<T, HandleError<E>>;
