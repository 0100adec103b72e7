//! What an operator may set.

use std::time::Duration;

use contract::VerificationKey;

use crate::key::SigningKey;

/// What an operator may set.
#[derive(Debug)]
pub struct IdentityConfig {
    /// Signs access tokens.
    pub signing_key: SigningKey,
    /// Keys that signed tokens which are still valid, such as the key before this one: published, no longer used.
    pub retired_keys: Vec<VerificationKey>,
    /// How long an access token is valid, unless it is revoked.
    pub access_ttl: Duration,
    /// How long a refresh token is valid; each refresh begins anew.
    pub refresh_ttl: Duration,
    /// How many passwords are hashed at a time. Each takes 19 MiB and a core for some 20 ms.
    pub hash_parallelism: usize,
}

impl IdentityConfig {
    /// Access for 15 minutes, refresh for 30 days, one hash per core.
    pub fn new(signing_key: SigningKey) -> Self {
        Self {
            signing_key,
            retired_keys: Vec::new(),
            access_ttl: Duration::from_secs(15 * 60),
            refresh_ttl: Duration::from_secs(30 * 24 * 60 * 60),
            hash_parallelism: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
