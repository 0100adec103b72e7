//! Configuration of the domain.

use std::time::Duration;

use contract::VerificationKey;

use crate::key::SigningKey;

/// Configuration of the domain.
#[derive(Debug)]
pub struct IdentityConfig {
    /// Signs access tokens.
    pub signing_key: SigningKey,
    /// Retired keys whose tokens may still be valid: still published, no longer used to sign.
    pub retired_keys: Vec<VerificationKey>,
    /// How long an access token is valid, unless it is revoked.
    pub access_ttl: Duration,
    /// How long a refresh token is valid. Each refresh issues one with the full lifetime.
    pub refresh_ttl: Duration,
    /// How many passwords are hashed concurrently. Each hash takes 19 MiB and occupies a core for some 20 ms.
    pub hash_parallelism: usize,
}

impl IdentityConfig {
    /// Access tokens for 15 minutes, refresh tokens for 30 days, one hash per core.
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
