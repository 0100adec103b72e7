//! The closed list of error kinds, and the one shape in which an error travels.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Detail;

/// What kind of failure an error is. The list is closed, and fixes the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request could not be read at all.
    Malformed,
    /// No valid access token.
    Unauthenticated,
    /// A valid token that may not do this.
    Forbidden,
    /// No such thing.
    NotFound,
    /// The state of the thing does not allow it.
    Conflict,
    /// The thing has another version than the caller relies on.
    PreconditionFailed,
    /// The body is too large.
    TooLarge,
    /// The body's media type is not spoken here.
    UnsupportedMediaType,
    /// Readable, but a field is missing, mistyped, unknown or out of range.
    Invalid,
    /// Too many requests.
    TooMany,
    /// A defect on our side.
    Internal,
    /// Nobody there to answer, or overloaded: try again later.
    Unavailable,
    /// The caller's time was over before an answer was found.
    Deadline,
}

impl ErrorKind {
    /// Every kind, in the order of their statuses.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
        Self::Deadline,
    ];

    /// The HTTP status of the kind.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Deadline => 504,
        }
    }
}

/// A domain's own error: an answer, replied and (but for `Malformed` and `Invalid`) stored. `Display` is the outward text,
/// `Debug` the inward one.
pub trait Refusal: Serialize + DeserializeOwned + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The stable word by which programs tell it.
    fn code(&self) -> &'static str;
    /// Its kind.
    fn kind(&self) -> ErrorKind;
    /// The wrong fields, where it is about fields.
    fn details(&self) -> Vec<Detail> {
        Vec::new()
    }
}

/// Declares the errors of a domain. Each has its kind, its code and its text, and, where it is about fields, its details.
///
/// ```
/// use contract::{Detail, DetailCode, Refusal, domain_error};
///
/// domain_error! {
///     /// The errors of shelves.
///     pub enum ShelvesError {
///         ShelfNotFound: NotFound "shelf_not_found" = "There is no such shelf.";
///         Full { room: u32 }: Conflict "shelf_full" = "The shelf is full."
///             => vec![Detail::new("quantity", DetailCode::Range, format!("there is room for {room}")).with("max", *room)];
///     }
/// }
/// let error = ShelvesError::Full { room: 3 };
/// assert_eq!((error.code(), error.kind().status(), error.to_string().as_str()), ("shelf_full", 409, "The shelf is full."));
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

        impl $crate::Refusal for $name {
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

/// An error as it travels in a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Always `false`.
    pub success: bool,
    /// The stable word.
    pub code: String,
    /// The kind, which fixes the status.
    pub kind: ErrorKind,
    /// For people.
    pub message: String,
    /// The domain that answered.
    pub service: String,
    /// Follows the request everywhere.
    #[serde(default)]
    pub request_id: String,
    /// The wrong fields.
    #[serde(default)]
    pub details: Vec<Detail>,
    /// The domain's own error, from which the caller gets it back as itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<serde_json::Value>,
}

/// A failure that is not a domain's own: unreadable, refused at the door, overloaded, too late, broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service}: {code}: {message}")]
pub struct Fault {
    /// The kind, which fixes the status.
    pub kind: ErrorKind,
    /// The stable word.
    pub code: String,
    /// For people, without inward details.
    pub message: String,
    /// Who answered; empty where nobody did.
    pub service: String,
    /// The wrong fields.
    pub details: Vec<Detail>,
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into(), service: String::new(), details: Vec::new() }
    }

    /// Nobody answered, or not now.
    pub fn unavailable(service: &str) -> Self {
        Self::new(ErrorKind::Unavailable, "unavailable", "The service cannot answer now. Try again.").of(service)
    }

    /// The caller's time was over.
    pub fn deadline(service: &str) -> Self {
        Self::new(ErrorKind::Deadline, "deadline_exceeded", "The service did not answer in time.").of(service)
    }

    /// A defect on our side; the reason goes to the log, never to the caller.
    pub fn internal(service: &str) -> Self {
        Self::new(ErrorKind::Internal, "internal", "Something went wrong on our side.").of(service)
    }

    /// Names what is wrong.
    #[must_use]
    pub fn about(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }

    /// Names who answered.
    #[must_use]
    pub fn of(mut self, service: &str) -> Self {
        service.clone_into(&mut self.service);
        self
    }

    /// The body in which it travels.
    pub fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            success: false,
            code: self.code.clone(),
            kind: self.kind,
            message: self.message.clone(),
            service: self.service.clone(),
            request_id: request_id.to_owned(),
            details: self.details.clone(),
            refusal: None,
        }
    }
}

impl ErrorBody {
    /// The body in which a domain's own error travels.
    pub fn of_refusal<E: Refusal>(refusal: &E, service: &str, request_id: &str) -> Self {
        Self {
            success: false,
            code: refusal.code().to_owned(),
            kind: refusal.kind(),
            message: refusal.to_string(),
            service: service.to_owned(),
            request_id: request_id.to_owned(),
            details: refusal.details(),
            refusal: serde_json::to_value(refusal).ok(),
        }
    }
}

/// What a caller gets instead of a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError<E> {
    /// The domain's own error, back as itself.
    Refused(E),
    /// Anything else.
    Fault(Fault),
}

impl<E: Refusal> CallError<E> {
    /// Reads an error reply. A refusal that this side does not know becomes a fault with its code and kind.
    pub fn from_body(body: ErrorBody) -> Self {
        if let Some(Ok(refusal)) = body.refusal.map(serde_json::from_value::<E>) {
            return Self::Refused(refusal);
        }
        Self::Fault(Fault {
            kind: body.kind,
            code: body.code,
            message: body.message,
            service: body.service,
            details: body.details,
        })
    }

    /// The kind of either.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused(refusal) => refusal.kind(),
            Self::Fault(fault) => fault.kind,
        }
    }

    /// The body for whoever asked us.
    pub fn body(&self, service: &str, request_id: &str) -> ErrorBody {
        match self {
            Self::Refused(refusal) => ErrorBody::of_refusal(refusal, service, request_id),
            Self::Fault(fault) => fault.body(request_id),
        }
    }
}

impl<E> From<Fault> for CallError<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
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
