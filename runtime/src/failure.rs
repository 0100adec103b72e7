//! Two levels of failure: a refusal is an answer, a breakage is run again.

use std::sync::Arc;

use contract::{CallError, ErrorKind, Fault, Refusal};

/// Something broke: the transaction rolls back and the work is tried again, and parked at its limit.
/// Unsure whether a write happened means breakage: run again, the rows decide.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Breakage {
    /// The database.
    #[error(transparent)]
    Sql(Arc<sqlx::Error>),
    /// Another domain did not answer, or answered with a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The database server was started anew: an era must begin before anything is committed.
    #[error("the era is stale")]
    StaleEra,
    /// The outside world did not answer, or not in a way that tells anything. The reason is for whoever runs the system.
    #[error("{0}")]
    Unanswered(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Breakage {
    /// A breakage with a reason for the log.
    pub fn other(reason: impl std::fmt::Display) -> Self {
        Self::Other(reason.to_string())
    }

    /// What the caller hears of it. The reason itself stays inside.
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

    /// A row of this kind is there already: a fault of the item's, or a race with whoever wrote that row.
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

/// Whose fault a breakage is, which says how a batch goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// An item's: halve until it stands alone.
    Data,
    /// Nobody's, but the batch is too large for the server: halve without blame.
    Size,
    /// Nobody's: repeat the whole batch.
    Nobody,
}

/// The connection was dead, or died with the statement.
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
        // 22 data exception, 23 constraint, 42 a statement that cannot work, P0 raised by a function of ours.
        Some("22" | "23" | "42" | "P0" | "0A") => Blame::Data,
        Some("53") => Blame::Size,
        // A statement or a lock that took too long: one of them may be why, and the others need not wait for it.
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
    /// A domain error: the answer, stored unless it says that the body is wrong (`Malformed`, `Invalid`).
    Rejected(E),
    /// A domain error that is not stored: for callers of whom nothing is known, who could fill the table with it.
    RejectedUnrecorded(E),
    /// An internal error.
    Broken(Breakage),
}

/// Why a command has no reply.
#[derive(Debug)]
pub enum HandleError<E> {
    /// A domain error: the answer, stored unless it says that the body is wrong (`Malformed`, `Invalid`). What the command
    /// wrote, emitted or left is undone.
    Rejected(E),
    /// A domain error, where what the command wrote, emitted and left stays.
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

/// What queries return, and what is read for a command before its lane.
pub type Answered<T, E> = Result<T, QueryError<E>>;

/// What handlers of commands return.
pub type Handled<T, E> = Result<T, HandleError<E>>;
