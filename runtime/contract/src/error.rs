//! The closed list of error kinds, and the body of an error reply.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Detail;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:literal,)+) => {
        /// The kind of an error. The list is closed, and each kind has a fixed HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)+
        }

        impl ErrorKind {
            /// Every kind, in the order of their statuses.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The HTTP status of the kind.
            pub fn status(self) -> u16 {
                match self {
                    $(Self::$kind => $status,)+
                }
            }
        }
    };
}

kinds! {
    /// The request is not well-formed.
    Malformed = 400,
    /// No valid access token.
    Unauthenticated = 401,
    /// The access token is valid but does not permit the operation.
    Forbidden = 403,
    /// The entity does not exist.
    NotFound = 404,
    /// The state of the entity does not allow the operation.
    Conflict = 409,
    /// The entity has another version than the caller expects.
    PreconditionFailed = 412,
    /// The body is too large.
    TooLarge = 413,
    /// The media type of the body is not supported.
    UnsupportedMediaType = 415,
    /// Well-formed, but a field is missing, mistyped, unknown or out of range.
    Invalid = 422,
    /// Too many requests.
    TooMany = 429,
    /// An internal error.
    Internal = 500,
    /// The service is not available or is overloaded: retry later.
    Unavailable = 503,
    /// The deadline of the caller passed before the reply.
    Deadline = 504,
}

/// A domain error: an answer to a request. For a command it is stored like a reply, except for the kinds `Malformed`,
/// `Invalid` and `Unauthenticated`. `Display` is the text for clients, `Debug` the text for logs.
pub trait DomainError: Serialize + DeserializeOwned + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The stable code for programs.
    fn code(&self) -> &'static str;
    /// The kind of the error.
    fn kind(&self) -> ErrorKind;
    /// Details about fields, if the error concerns fields.
    fn details(&self) -> Vec<Detail> {
        Vec::new()
    }
}

/// Declares the errors of a domain. Each has a kind, a code and a text, and details if it concerns fields.
///
/// ```
/// use contract::{Detail, DetailCode, DomainError, domain_error};
///
/// domain_error! {
///     /// The errors of shelves.
///     pub enum ShelvesError {
///         ShelfNotFound: NotFound "shelf_not_found" = "There is no such shelf.";
///         Full { room: u32 }: Conflict "shelf_full" = "The shelf is full."
///             => vec![
///                 Detail::new("quantity", DetailCode::Range, format!("there is room for {room}")).with("max", *room)
///             ];
///     }
/// }
/// let error = ShelvesError::Full { room: 3 };
/// assert_eq!(
///     (error.code(), error.kind().status(), error.to_string().as_str()),
///     ("shelf_full", 409, "The shelf is full.")
/// );
/// assert_eq!(error.details()[0].message, "there is room for 3");
/// assert_eq!(serde_json::to_string(&error).unwrap(), r#"{"code":"shelf_full","room":3}"#);
/// ```
///
/// The crate that uses it depends on `serde` and `thiserror`.
#[macro_export]
macro_rules! domain_error {
    (@details) => { ::std::vec::Vec::new() };
    (@details $details:expr) => { $details };
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {$(
            $(#[$doc:meta])*
            $variant:ident $({ $($field:ident: $type:ty),+ $(,)? })?: $kind:ident $code:literal = $text:literal
                $(=> $details:expr)?;
        )+}
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize, ::thiserror::Error)]
        #[serde(tag = "code")]
        $vis enum $name {$(
            $(#[$doc])*
            #[serde(rename = $code)]
            #[error($text)]
            $variant $({ $($field: $type),+ })?,
        )+}

        impl $crate::DomainError for $name {
            fn code(&self) -> &'static str {
                match self {$( Self::$variant { .. } => $code, )+}
            }

            fn kind(&self) -> $crate::ErrorKind {
                match self {$( Self::$variant { .. } => $crate::ErrorKind::$kind, )+}
            }

            #[allow(unused_variables, reason = "a field may be for programs only")]
            fn details(&self) -> ::std::vec::Vec<$crate::Detail> {
                match self {$(
                    Self::$variant $({ $($field),+ })? => $crate::domain_error!(@details $($details)?),
                )+}
            }
        }
    };
}

/// The body of an error reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Always `false`.
    pub success: bool,
    /// The stable code for programs.
    pub code: String,
    /// The kind, which determines the HTTP status.
    pub kind: ErrorKind,
    /// The text for people.
    pub message: String,
    /// The domain or service that replied.
    pub service: String,
    /// The id of the request.
    #[serde(default)]
    pub request_id: String,
    /// Details about fields.
    #[serde(default)]
    pub details: Vec<Detail>,
    /// The domain error, from which the client restores the typed error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_error: Option<serde_json::Value>,
}

/// A service error, that is any error that is not a domain error: an unreadable request, missing access, overload, a
/// passed deadline, an internal error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service}: {code}: {message}")]
pub struct ServiceError {
    /// The kind, which determines the HTTP status.
    pub kind: ErrorKind,
    /// The stable code for programs.
    pub code: String,
    /// The text for people, without internal details.
    pub message: String,
    /// The domain or service that replied; empty if none did.
    pub service: String,
    /// Details about fields.
    pub details: Vec<Detail>,
}

impl ServiceError {
    /// A service error without details.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), service: String::new(), details: Vec::new() }
    }

    /// The service did not reply or is temporarily unavailable.
    pub fn unavailable(service: &str) -> Self {
        let text = "The service is not available at the moment. Try again.";
        Self::new(ErrorKind::Unavailable, "unavailable", text).of(service)
    }

    /// The service has more to do than it can.
    pub fn overloaded(service: &str) -> Self {
        Self::new(ErrorKind::Unavailable, "overloaded", "The service is overloaded. Try again.").of(service)
    }

    /// The deadline of the caller passed.
    pub fn deadline(service: &str) -> Self {
        Self::new(ErrorKind::Deadline, "deadline_exceeded", "The service did not answer in time.").of(service)
    }

    /// An internal error. Its reason is logged and never sent to the caller.
    pub fn internal(service: &str) -> Self {
        Self::new(ErrorKind::Internal, "internal", "Something went wrong on our side.").of(service)
    }

    /// Adds a detail.
    #[must_use]
    pub fn about(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }

    /// Sets the domain or service that replied.
    #[must_use]
    pub fn of(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    /// The body of the error reply.
    pub fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            success: false,
            code: self.code.clone(),
            kind: self.kind,
            message: self.message.clone(),
            service: self.service.clone(),
            request_id: request_id.to_owned(),
            details: self.details.clone(),
            domain_error: None,
        }
    }
}

impl ErrorBody {
    /// The body of the reply for a domain error.
    pub fn of_domain_error<E: DomainError>(error: &E, service: &str, request_id: &str) -> Self {
        Self {
            success: false,
            code: error.code().to_owned(),
            kind: error.kind(),
            message: error.to_string(),
            service: service.to_owned(),
            request_id: request_id.to_owned(),
            details: error.details(),
            domain_error: serde_json::to_value(error).ok(),
        }
    }
}

impl From<ErrorBody> for ServiceError {
    fn from(ErrorBody { kind, code, message, service, details, .. }: ErrorBody) -> Self {
        Self { kind, code, message, service, details }
    }
}

/// The error of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError<E> {
    /// The typed domain error.
    Rejected(E),
    /// Any other error.
    ServiceError(ServiceError),
}

impl<E: DomainError> CallError<E> {
    /// Converts an error reply. A domain error that this client does not know becomes a service error with the same
    /// code and kind.
    pub fn from_body(mut body: ErrorBody) -> Self {
        if let Some(Ok(error)) = body.domain_error.take().map(serde_json::from_value::<E>) {
            return Self::Rejected(error);
        }
        Self::ServiceError(body.into())
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Rejected(domain_error) => domain_error.kind(),
            Self::ServiceError(service_error) => service_error.kind,
        }
    }

    /// The body of the error reply to the caller.
    pub fn body(&self, service: &str, request_id: &str) -> ErrorBody {
        match self {
            Self::Rejected(domain_error) => ErrorBody::of_domain_error(domain_error, service, request_id),
            Self::ServiceError(service_error) => service_error.body(request_id),
        }
    }
}

impl<E> From<ServiceError> for CallError<E> {
    fn from(error: ServiceError) -> Self {
        Self::ServiceError(error)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(domain_error) => domain_error.fmt(f),
            Self::ServiceError(service_error) => service_error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_rise_with_the_list_and_are_all_errors() {
        let statuses: Vec<u16> = ErrorKind::ALL.iter().map(|kind| kind.status()).collect();
        assert!(statuses.is_sorted());
        assert!(statuses.iter().all(|status| (400..600).contains(status)));
    }
}
