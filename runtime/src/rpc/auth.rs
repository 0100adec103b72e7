//! Access tokens: EdDSA JWTs, verified against the published keys by the domain that owns the operation.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use contract::{ErrorKind, ServiceError, TokenOwner, VerificationKeys};
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use parking_lot::{Mutex, RwLock};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    clock::Clock,
    rpc::revocations::{REVOCATIONS, RevocationSource, Revocations},
};

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
    /// What revocations are compared with.
    pub(crate) fn owner(&self) -> TokenOwner {
        TokenOwner { account: self.id, version: self.version, session: self.session }
    }
}

/// The source of the keys: a query to the signer.
pub type KeySource = Arc<dyn Fn() -> BoxFuture<'static, Result<VerificationKeys, ServiceError>> + Send + Sync>;

/// What access tokens are verified against: the signer's keys and its revocations.
#[derive(Clone)]
pub struct TokenSources {
    /// The source of the keys.
    pub keys: KeySource,
    /// The source of the revocations.
    pub revocations: RevocationSource,
}

/// The most verified tokens that are cached: a verification takes 48 us, half of what a request costs.
const CACHED: usize = 10_000;

/// The shortest interval between requests for the keys, which an unknown key id triggers.
const FETCH_AGAIN: Duration = Duration::from_secs(1);

/// Verifies access tokens.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    source: KeySource,
    keys: RwLock<HashMap<String, DecodingKey>>,
    /// The time of the last request for the keys, and whether it succeeded.
    last_fetch: tokio::sync::Mutex<Option<(Instant, bool)>>,
    verified: Mutex<HashMap<[u8; 32], (Identity, i64)>>,
    revocations: Revocations,
    clock: Clock,
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    role: String,
    sid: Uuid,
    /// Absent in tokens that are older than revocations: these count as the oldest of their account.
    #[serde(default)]
    ver: i64,
    iat: i64,
    exp: i64,
}

impl Verifier {
    /// Creates a verifier that uses this machine's clock. It requests keys when it needs them, and keeps no list of
    /// revocations, but queries them for each token.
    pub fn new(sources: TokenSources) -> Self {
        let clock = Clock::default();
        let revocations = Revocations::new("none", sources.revocations, REVOCATIONS, clock.clone());
        Self::with(sources.keys, revocations, clock)
    }

    /// Creates a verifier with a list of revocations, and a clock that is compared with a database's.
    pub(crate) fn with(source: KeySource, revocations: Revocations, clock: Clock) -> Self {
        let shared = Shared {
            source,
            keys: RwLock::default(),
            last_fetch: tokio::sync::Mutex::default(),
            verified: Mutex::default(),
            revocations,
            clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Verifies the value of an `Authorization` header.
    ///
    /// # Errors
    /// 401 if it is not a valid token of this system or is known to be revoked; 503 if the keys cannot be read.
    pub async fn verify(&self, authorization: &str) -> Result<Identity, ServiceError> {
        let identity = self.authenticate(authorization).await?;
        self.shared.revocations.check(&identity.owner()).await?;
        Ok(identity)
    }

    /// Checks that a verified token has not been revoked in the meantime.
    ///
    /// # Errors
    /// 401 if it has been revoked; 503 if that cannot be determined.
    pub(crate) async fn confirm(&self, identity: &Identity) -> Result<(), ServiceError> {
        self.shared.revocations.confirm(&identity.owner()).await
    }

    /// Completes once the token of an identity is listed as revoked.
    pub async fn revoked(&self, identity: &Identity) {
        self.shared.revocations.listed(&identity.owner()).await;
    }

    /// The identity of a token, which may be revoked.
    async fn authenticate(&self, authorization: &str) -> Result<Identity, ServiceError> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > 4096 {
            return Err(invalid_token());
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = self.shared.clock.now().timestamp();
        if let Some((identity, expires)) = self.shared.verified.lock().get(&digest)
            && *expires > now
        {
            return Ok(identity.clone());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid_token())?;
        // The algorithm is fixed here and never taken from the token.
        let (Algorithm::EdDSA, Some(kid)) = (header.alg, header.kid) else { return Err(invalid_token()) };
        let key = self.key(&kid).await?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Compared below, by the database's clock instead of this machine's.
        validation.validate_exp = false;
        validation.set_issuer(&[contract::SYSTEM]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| invalid_token())?.claims;
        if claims.exp <= now {
            return Err(invalid_token());
        }
        let identity = Identity {
            id: claims.sub,
            role: claims.role,
            version: claims.ver,
            session: claims.sid,
            issued_at: claims.iat,
        };
        let mut verified = self.shared.verified.lock();
        if verified.len() >= CACHED {
            verified.retain(|_, (_, expires)| *expires > now);
            if verified.len() >= CACHED {
                verified.clear();
            }
        }
        verified.insert(digest, (identity.clone(), claims.exp));
        Ok(identity)
    }

    async fn key(&self, kid: &str) -> Result<DecodingKey, ServiceError> {
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        let mut last_fetch = self.shared.last_fetch.lock().await;
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        match *last_fetch {
            Some((at, true)) if at.elapsed() < FETCH_AGAIN => return Err(invalid_token()),
            // Callers that waited for a request that failed do not repeat it: each would wait for all before it.
            Some((at, false)) if at.elapsed() < FETCH_AGAIN => return Err(no_keys()),
            _ => {}
        }
        self.fetch(&mut last_fetch).await?;
        self.known(kid).ok_or_else(invalid_token)
    }

    /// Reads the keys before the first token arrives, so that tokens can be verified while the signer is down.
    pub(crate) async fn learn_keys(&self) {
        loop {
            let mut last_fetch = self.shared.last_fetch.lock().await;
            if matches!(*last_fetch, Some((_, true))) || self.fetch(&mut last_fetch).await.is_ok() {
                return;
            }
            drop(last_fetch);
            tokio::time::sleep(FETCH_AGAIN).await;
        }
    }

    async fn fetch(&self, last_fetch: &mut Option<(Instant, bool)>) -> Result<(), ServiceError> {
        let published = (self.shared.source)().await;
        *last_fetch = Some((Instant::now(), published.is_ok()));
        let published = published?;
        let mut keys = HashMap::new();
        for key in published.keys {
            if let Ok(decoding) = DecodingKey::from_ed_components(&key.x) {
                keys.insert(key.kid, decoding);
            }
        }
        *self.shared.keys.write() = keys;
        Ok(())
    }

    fn known(&self, kid: &str) -> Option<DecodingKey> {
        self.shared.keys.read().get(kid).cloned()
    }
}

fn no_keys() -> ServiceError {
    ServiceError::new(
        ErrorKind::Unavailable,
        "unavailable",
        "Access tokens cannot be verified at the moment. Try again.",
    )
}

pub(crate) fn invalid_token() -> ServiceError {
    ServiceError::new(ErrorKind::Unauthenticated, "invalid_token", "The access token is not valid.")
}
