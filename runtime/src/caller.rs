//! Who asks.

use contract::TokenOwner;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// An account whose access token was verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub id: Uuid,
    /// Its role, as the token names it.
    pub role: String,
    /// The account's version when the token was signed; 0 in a token that names none.
    pub version: i64,
    /// The session the token belongs to.
    pub session: Uuid,
    /// The moment the token was signed, in seconds since 1970.
    pub issued_at: i64,
}

impl Identity {
    /// By which revocations are compared.
    pub(crate) fn owner(&self) -> TokenOwner {
        TokenOwner { account: self.id, version: self.version, session: self.session }
    }
}

/// Who asks, as the owning domain established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// An account with a verified token.
    User(Identity),
    /// The holder of a capability, by its digest. The domain checks it itself.
    Capability(Uuid),
    /// Another domain, or the runtime: a deadline, an effect.
    System,
}

impl Caller {
    /// The account, where one asks.
    pub fn user(&self) -> Option<&Identity> {
        match self {
            Self::User(identity) => Some(identity),
            _ => None,
        }
    }

    /// The account's id, where one asks.
    pub fn user_id(&self) -> Option<Uuid> {
        self.user().map(|identity| identity.id)
    }

    /// Whether the caller's role is this one.
    pub fn has_role(&self, role: &str) -> bool {
        self.user().is_some_and(|identity| identity.role == role)
    }

    /// By which command ids of different callers are told apart.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Anonymous => "-".into(),
            Self::User(identity) => format!("user:{}", identity.id),
            Self::Capability(digest) => format!("cap:{digest}"),
            Self::System => "system".into(),
        }
    }
}

/// The digest that stands for a secret wherever one must be compared or stored.
pub fn secret_digest(secret: &str) -> Uuid {
    let hash = Sha256::digest(secret.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(bytes)
}
