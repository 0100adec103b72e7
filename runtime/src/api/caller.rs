//! The callers of operations.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::rpc::auth::Identity;

/// The caller of an operation, as established by the domain that owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A caller without credentials.
    Anonymous,
    /// An account with a verified token.
    User(Identity),
    /// The holder of a capability, identified by its digest. The domain checks the capability itself.
    Capability(Uuid),
    /// Another domain, or the runtime: a deadline, an effect.
    System,
}

impl Caller {
    /// The account, if the caller has one.
    pub fn user(&self) -> Option<&Identity> {
        match self {
            Self::User(identity) => Some(identity),
            _ => None,
        }
    }

    /// The account's id, if the caller has one.
    pub fn user_id(&self) -> Option<Uuid> {
        self.user().map(|identity| identity.id)
    }

    /// Whether the caller is an account with this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.user().is_some_and(|identity| identity.role == role)
    }

    /// The namespace of the caller's command ids.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Anonymous => "-".into(),
            Self::User(identity) => format!("user:{}", identity.id),
            Self::Capability(digest) => format!("cap:{digest}"),
            Self::System => "system".into(),
        }
    }
}

/// The digest by which a secret is compared and stored.
pub fn secret_digest(secret: &str) -> Uuid {
    let hash = Sha256::digest(secret.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(bytes)
}
