//! Two levels of failure: a domain error is an answer, an internal error is retried.

use std::sync::Arc;

use contract::{CallError, DomainError, ErrorKind, ServiceError};

/// An internal error: the transaction is rolled back and the work is retried, and dead-lettered at its limit. If it is
/// uncertain whether a write was committed, return an internal error: the retry reads the rows and decides.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InternalError {
    /// The database failed.
    #[error(transparent)]
    Sql(Arc<sqlx::Error>),
    /// Another domain did not answer, or answered with a service error.
    #[error(transparent)]
    ServiceError(#[from] ServiceError),
    /// The database server has restarted: an epoch must begin before anything is committed.
    #[error("the epoch is stale")]
    StaleEpoch,
    /// An external system did not answer, or its answer is inconclusive. The reason is for the operator.
    #[error("{0}")]
    Unanswered(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl InternalError {
    /// An internal error with a reason for the log.
    pub fn other(reason: impl std::fmt::Display) -> Self {
        Self::Other(reason.to_string())
    }

    /// The service error for the caller, which does not contain the reason.
    pub fn service_error(&self, service: &str) -> ServiceError {
        match self {
            Self::ServiceError(service_error)
                if matches!(service_error.kind, ErrorKind::Unavailable | ErrorKind::Deadline) =>
            {
                service_error.clone()
            }
            Self::Sql(error) if retry_class(error) != RetryClass::Data => ServiceError::unavailable(service),
            Self::StaleEpoch => ServiceError::unavailable(service),
            Self::Unanswered(_) => {
                let text = "An external service did not answer. Try again.";
                ServiceError::new(ErrorKind::Unavailable, "external_unavailable", text).of(service)
            }
            _ => ServiceError::internal(service),
        }
    }

    pub(crate) fn retry_class(&self) -> RetryClass {
        match self {
            Self::Sql(error) => retry_class(error),
            Self::ServiceError(_) | Self::Unanswered(_) | Self::StaleEpoch => RetryClass::Transient,
            Self::Other(_) => RetryClass::Data,
        }
    }

    /// See [`is_lost_connection`].
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Sql(error) if is_lost_connection(error))
    }

    /// A unique constraint was violated, either because of the item's data or in a race with another writer of the row.
    pub(crate) fn is_unique_violation(&self) -> bool {
        matches!(
            self,
            Self::Sql(error)
                if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
        )
    }
}

impl From<sqlx::Error> for InternalError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::new(error))
    }
}

impl<E: DomainError> From<CallError<E>> for InternalError {
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::ServiceError(service_error) => Self::ServiceError(service_error),
            CallError::Rejected(domain_error) => Self::Other(format!("unexpected domain error: {domain_error:?}")),
        }
    }
}

/// The retry class of an internal error, which determines how a batch continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryClass {
    /// Caused by an item: halve the batch until the item is alone.
    Data,
    /// Not caused by an item, but the batch is too large for the server: halve it, and count it for no item.
    Size,
    /// Not caused by an item: retry the whole batch.
    Transient,
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

fn retry_class(error: &sqlx::Error) -> RetryClass {
    let code = match error {
        sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_)
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::RowNotFound => return RetryClass::Data,
        _ => return RetryClass::Transient,
    };
    match code.get(..2) {
        // 22: data exception; 23: constraint; 42: invalid statement; P0: raised by a PL/pgSQL function; 0A: not
        // supported.
        Some("22" | "23" | "42" | "P0" | "0A") => RetryClass::Data,
        Some("53") => RetryClass::Size,
        // A statement or lock timeout: one item may be the cause, and the others need not wait for it.
        _ if matches!(code.as_str(), "57014" | "55P03") => RetryClass::Size,
        _ => RetryClass::Transient,
    }
}

/// Why a query has no answer.
#[derive(Debug)]
pub enum QueryError<E> {
    /// A domain error: the answer.
    Rejected(E),
    /// An internal error.
    Broken(InternalError),
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
    Broken(InternalError),
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
    Broken(InternalError),
}

macro_rules! errors {
    ($($name:ident)+) => {$(
        impl<E: DomainError> From<E> for $name<E> {
            fn from(error: E) -> Self {
                Self::Rejected(error)
            }
        }

        impl<E> From<InternalError> for $name<E> {
            fn from(error: InternalError) -> Self {
                Self::Broken(error)
            }
        }
    )+};
}
errors!(QueryError PrepareError HandleError);

impl<E> From<QueryError<E>> for PrepareError<E> {
    fn from(error: QueryError<E>) -> Self {
        match error {
            QueryError::Rejected(error) => Self::Rejected(error),
            QueryError::Broken(internal_error) => Self::Broken(internal_error),
        }
    }
}

/// The result of a query's handler, and of reads for a command before its lane.
pub type QueryResult<T, E> = Result<T, QueryError<E>>;

/// The result of a command's handler.
pub type HandlerResult<T, E> = Result<T, HandleError<E>>;
