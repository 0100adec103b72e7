//! Access tokens: EdDSA JWTs, verified against the published keys by whoever owns the operation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use contract::{ErrorKind, Fault, VerificationKeys};
use futures::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    caller::Identity,
    clock::Clock,
    revocations::{REVOCATIONS, RevocationSource, Revocations},
};

/// Where the keys come from: a query to whoever signs.
pub type KeySource = Arc<dyn Fn() -> BoxFuture<'static, Result<VerificationKeys, Fault>> + Send + Sync>;

/// What verifies access tokens: the signer's keys and its revocations.
#[derive(Clone)]
pub struct TokenSources {
    /// The keys.
    pub keys: KeySource,
    /// What was revoked.
    pub revocations: RevocationSource,
}

/// Tokens that were verified a moment ago: 48 us each is half of what a request costs.
const CACHED: usize = 10_000;

/// Unknown key ids make us ask again, but not more often than this.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Verifies access tokens.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
}

struct Shared {
    source: KeySource,
    keys: RwLock<HashMap<String, DecodingKey>>,
    /// When the keys were asked for last, and whether they came.
    asked: tokio::sync::Mutex<Option<(Instant, bool)>>,
    verified: Mutex<HashMap<[u8; 32], (Identity, i64)>>,
    revocations: Revocations,
    clock: Clock,
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    role: String,
    sid: Uuid,
    /// Missing in tokens of before there were revocations: they count as the oldest of their account.
    #[serde(default)]
    ver: i64,
    iat: i64,
    exp: i64,
}

impl Verifier {
    /// A verifier that goes by this machine's clock. It asks for keys when it needs them, and about every token, for it
    /// keeps no list of revocations.
    pub fn new(sources: TokenSources) -> Self {
        let clock = Clock::default();
        let revocations = Revocations::new("none", sources.revocations, REVOCATIONS, clock.clone());
        Self::with(sources.keys, revocations, clock)
    }

    /// A verifier with a list of revocations, by a clock that is compared with a database's.
    pub(crate) fn with(source: KeySource, revocations: Revocations, clock: Clock) -> Self {
        let shared = Shared {
            source,
            keys: RwLock::default(),
            asked: tokio::sync::Mutex::default(),
            verified: Mutex::default(),
            revocations,
            clock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Verifies the value of an `Authorization` header.
    ///
    /// # Errors
    /// 401 for whatever is not a token of ours that is valid now, revoked ones among them; 503 where the keys cannot be had.
    pub async fn verify(&self, authorization: &str) -> Result<Identity, Fault> {
        let identity = self.authenticate(authorization).await?;
        self.shared.revocations.check(&identity.owner()).await?;
        Ok(identity)
    }

    /// Makes sure that a verified token is not one that was revoked meanwhile.
    ///
    /// # Errors
    /// 401 where it was; 503 where that cannot be told.
    pub(crate) async fn confirm(&self, identity: &Identity) -> Result<(), Fault> {
        self.shared.revocations.confirm(&identity.owner()).await
    }

    /// Ends once the token of an identity is known to be revoked.
    pub async fn revoked(&self, identity: &Identity) {
        self.shared.revocations.listed(&identity.owner()).await;
    }

    /// Whose token it is, revoked or not.
    async fn authenticate(&self, authorization: &str) -> Result<Identity, Fault> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > 4096 {
            return Err(invalid_token());
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = self.shared.clock.now().timestamp();
        if let Some((identity, expires)) =
            self.shared.verified.lock().unwrap_or_else(PoisonError::into_inner).get(&digest)
            && *expires > now
        {
            return Ok(identity.clone());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid_token())?;
        // The algorithm is ours to say, never the token's.
        let (Algorithm::EdDSA, Some(kid)) = (header.alg, header.kid) else { return Err(invalid_token()) };
        let key = self.key(&kid).await?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Compared below, by our clock and not by this machine's.
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
        let mut verified = self.shared.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= CACHED {
            verified.retain(|_, (_, expires)| *expires > now);
            if verified.len() >= CACHED {
                verified.clear();
            }
        }
        verified.insert(digest, (identity.clone(), claims.exp));
        Ok(identity)
    }

    async fn key(&self, kid: &str) -> Result<DecodingKey, Fault> {
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        let mut asked = self.shared.asked.lock().await;
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        match *asked {
            Some((at, true)) if at.elapsed() < ASK_AGAIN => return Err(invalid_token()),
            // Whoever waited for an answer that did not come does not ask in its turn: all would wait for each.
            Some((at, false)) if at.elapsed() < ASK_AGAIN => return Err(no_keys()),
            _ => {}
        }
        self.fetch(&mut asked).await?;
        self.known(kid).ok_or_else(invalid_token)
    }

    /// Reads the keys ahead of the first token, so that tokens are verified also while their signer is away.
    pub(crate) async fn learn_keys(&self) {
        loop {
            let mut asked = self.shared.asked.lock().await;
            if matches!(*asked, Some((_, true))) || self.fetch(&mut asked).await.is_ok() {
                return;
            }
            drop(asked);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn fetch(&self, asked: &mut Option<(Instant, bool)>) -> Result<(), Fault> {
        let published = (self.shared.source)().await;
        *asked = Some((Instant::now(), published.is_ok()));
        let published = published?;
        let mut keys = HashMap::new();
        for key in published.keys {
            if let Ok(decoding) = DecodingKey::from_ed_components(&key.x) {
                keys.insert(key.kid, decoding);
            }
        }
        *self.shared.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn known(&self, kid: &str) -> Option<DecodingKey> {
        self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }
}

fn no_keys() -> Fault {
    Fault::new(ErrorKind::Unavailable, "unavailable", "Access tokens cannot be checked now. Try again.")
}

pub(crate) fn invalid_token() -> Fault {
    Fault::new(ErrorKind::Unauthenticated, "invalid_token", "The access token is not valid.")
}
