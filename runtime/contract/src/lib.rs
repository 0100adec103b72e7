//! The contract between components of the system: message traits, subjects, headers, errors and encoding.
//!
//! A message is a type, which fixes its subject, its reply and its error, so that domains contain no subject strings
//! and no untyped payloads. This crate does no I/O and does not depend on any domain.
//!
//! To read first: `message.rs` (the traits), `subject.rs` (the form of a subject), `error.rs` (kinds and texts of
//! errors).

mod access;
pub mod address;
mod codec;
mod detail;
mod error;
mod event_head;
mod fields;
pub mod header;
mod message;
pub mod page;
mod position;
mod revocation;
pub mod subject;
pub mod text;

pub use access::Access;
pub use codec::{DecodeError, Format, UnknownFields};
pub use detail::{Detail, DetailCode};
pub use error::{CallError, DomainError, ErrorBody, ErrorKind, ServiceError};
pub use event_head::EventHead;
pub use fields::{Fields, LineBreaks};
pub use message::{Answer, Coalesce, Command, Event, Query, Request};
pub use page::{PageRequest, Pagination};
pub use position::Position;
pub use revocation::{Revocation, RevocationCursor, RevocationsPage, RevocationsRequest, Revoked, TokenOwner};

/// The name of the system, as used in event types, event sources and schema names.
pub const SYSTEM: &str = "souk";

/// A public key by which access tokens are verified (RFC 7517, OKP keys only).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VerificationKey {
    /// Key id, as named by a token's header.
    pub kid: String,
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// The public key, base64url without padding.
    pub x: String,
}

/// A set of verification keys (RFC 7517, section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VerificationKeys {
    /// The keys that are valid now; a token signed by any of them is accepted.
    pub keys: Vec<VerificationKey>,
}
