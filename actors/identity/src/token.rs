//! Access tokens, which can be verified with the public keys, and refresh tokens, which only this domain can verify.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header};
use rand::TryRngCore;
use runtime::InternalError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{key::SigningKey, store::Account};

/// The claims of an access token.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub sub: Uuid,
    pub email: String,
    pub role: String,
    /// The version of the account: a change of its rights revokes the tokens with a lower one.
    pub ver: i64,
    /// The session that the token belongs to.
    pub sid: Uuid,
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
}

/// Signs an access token for an account's session.
pub(crate) fn sign(
    key: &SigningKey,
    account: &Account,
    session: Uuid,
    now: DateTime<Utc>,
    ttl: Duration,
) -> Result<String, InternalError> {
    let iat = now.timestamp();
    let claims = Claims {
        iss: contract::SYSTEM.into(),
        sub: account.user.id.0,
        email: account.user.email.clone(),
        role: account.user.role.clone(),
        ver: account.version.get(),
        sid: session,
        iat,
        exp: iat.saturating_add_unsigned(ttl.as_secs()),
        jti: Uuid::now_v7(),
    };
    let header = Header { kid: Some(key.kid().to_owned()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims, key.encoding()).map_err(InternalError::other)
}

/// The digest under which a refresh token is stored.
pub(crate) type TokenDigest = [u8; 32];

/// Generates a refresh token and its digest. With 256 random bits, a plain hash is enough to protect it.
pub(crate) fn refresh_token() -> Result<(String, TokenDigest), InternalError> {
    let mut secret = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut secret).map_err(InternalError::other)?;
    let token = URL_SAFE_NO_PAD.encode(secret);
    let digest = digest(&token);
    Ok((token, digest))
}

/// The digest of a refresh token as received.
pub(crate) fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    #[test]
    fn an_access_token_is_verified_by_the_published_key() {
        let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let (account, session, now) = (Account::example(), Uuid::now_v7(), Utc::now());
        let token = sign(&key, &account, session, now, Duration::from_secs(900)).unwrap();

        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::EdDSA, Some(key.kid())));

        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&["souk"]);
        let public = DecodingKey::from_ed_components(&key.verification_key().x).unwrap();
        let claims = jsonwebtoken::decode::<Claims>(&token, &public, &rules).unwrap().claims;
        assert_eq!((claims.sub, claims.sid, claims.role.as_str()), (account.user.id.0, session, "customer"));
        assert_eq!(claims.ver, account.version.get());
        assert_eq!((claims.iat, claims.exp), (now.timestamp(), now.timestamp() + 900));

        let another = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let public = DecodingKey::from_ed_components(&another.verification_key().x).unwrap();
        assert!(jsonwebtoken::decode::<Claims>(&token, &public, &rules).is_err());
    }

    #[test]
    fn refresh_tokens_are_long_and_never_the_same() {
        let ((one, one_digest), (other, other_digest)) = (refresh_token().unwrap(), refresh_token().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
        assert_ne!(one_digest, other_digest);
        assert_eq!(digest(&one), one_digest);
    }
}
