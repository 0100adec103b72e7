//! What the signer of access tokens publishes about those that ended before their time.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a reader of revocations stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationMark {
    /// The position of the last revocation that was read.
    pub position: i64,
    /// That revocation's own id. A database restored from a backup may assign its position again, but not its id.
    pub id: Uuid,
}

/// What an access token says about its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenOwner {
    /// The account.
    pub account: Uuid,
    /// The account's version when the token was signed.
    pub version: i64,
    /// The session the token belongs to.
    pub session: Uuid,
}

/// Asks for the revocations behind a mark, or about one token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsRequest {
    /// Where the reader stands. Without a mark, or with one that is not known, the page begins with the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RevocationMark>,
    /// With a token the answer is about this token only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenOwner>,
}

/// Which tokens a revocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Revoked {
    /// Those of an account with a lower version.
    Account {
        /// The account.
        id: Uuid,
        /// The lowest version that is still valid.
        least_version: i64,
    },
    /// Those of a session.
    Session {
        /// The session.
        id: Uuid,
    },
}

/// Tokens that ended before their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Where it stands: positions become visible in their own order.
    pub mark: RevocationMark,
    /// Which tokens.
    pub revoked: Revoked,
    /// The second since 1970 from which on none of these tokens is valid anyway.
    pub expires_at: i64,
}

/// Some revocations, by position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsPage {
    /// Those behind the mark that are in force.
    pub revocations: Vec<Revocation>,
    /// Whether more follow.
    pub has_more: bool,
    /// Where the request was about a token: whether that token is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_revoked: Option<bool>,
}
