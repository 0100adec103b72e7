//! Revocations of access tokens, as published by the signer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The progress of a reader of revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationCursor {
    /// The position of the last revocation that was read.
    pub position: i64,
    /// That revocation's own id. A database restored from a backup may assign its position again, but not its id.
    pub id: Uuid,
}

/// The claims of an access token about its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenOwner {
    /// The account.
    pub account: Uuid,
    /// The account's version when the token was signed.
    pub version: i64,
    /// The session the token belongs to.
    pub session: Uuid,
}

/// Requests the revocations after a cursor, or the state of one token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsRequest {
    /// The cursor after which the page begins. Without a known cursor it begins with the oldest revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RevocationCursor>,
    /// If set, the reply is about this token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenOwner>,
}

/// The tokens that a revocation revokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Revoked {
    /// The tokens of an account with a lower version.
    Account {
        /// The account.
        id: Uuid,
        /// The lowest version that is still valid.
        least_version: i64,
    },
    /// The tokens of a session.
    Session {
        /// The session.
        id: Uuid,
    },
}

/// A revocation of tokens before their expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its cursor. Positions become visible in ascending order.
    pub cursor: RevocationCursor,
    /// The revoked tokens.
    pub revoked: Revoked,
    /// The time, in seconds since 1970, at which all of these tokens have expired.
    pub expires_at: i64,
}

/// A page of revocations, ordered by position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsPage {
    /// The revocations after the cursor that are in force.
    pub revocations: Vec<Revocation>,
    /// Whether more follow.
    pub has_more: bool,
    /// Whether the token is revoked, if the request was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_revoked: Option<bool>,
}
