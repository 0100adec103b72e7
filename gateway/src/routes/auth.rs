//! Accounts and tokens.

use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use subjects::identity::{GetKeys, Login, Logout, Refresh, Register, Session};

use crate::http::{
    body::Body,
    caller::{Anyone, Caller},
    error::ApiError,
    header::Key,
    reply::{Answer, NoContent, Reply},
    tag::{BASE, Tag},
};

/// The public keys of access tokens (RFC 7517).
#[derive(Object, Serialize)]
struct Keys {
    keys: Vec<PublicKey>,
}

/// A public key (RFC 7517, RFC 8037).
#[derive(Object, Serialize)]
struct PublicKey {
    kid: String,
    /// Always `OKP`.
    kty: String,
    /// Always `Ed25519`.
    crv: String,
    /// Always `EdDSA`.
    alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[oai(rename = "use")]
    usage: String,
    /// The public key, base64url without padding.
    x: String,
}

/// The routes of accounts and tokens. Those that identify their caller by the body ignore the access token, so that a
/// client that always sends one can still get another after it has expired.
pub(crate) struct AuthApi;

#[OpenApi(tag = "Tag::Auth")]
impl AuthApi {
    /// Register
    #[oai(path = "/api/v1/auth/register", method = "post", operation_id = "register")]
    async fn register(&self, anyone: Anyone, body: Body<Register>) -> Answer<Session, 201> {
        let session = anyone.send(&body.0, None).await?.reply;
        Ok(Reply::new(&session)?.at(&format!("{BASE}/admin/users/{}", session.user.id)))
    }

    /// Log in
    #[oai(path = "/api/v1/auth/login", method = "post", operation_id = "login")]
    async fn login(&self, anyone: Anyone, body: Body<Login>) -> Answer<Session> {
        Reply::new(&anyone.send(&body.0, None).await?.reply)
    }

    /// Refresh a session
    ///
    /// The refresh token becomes invalid; the reply contains the next one.
    #[oai(path = "/api/v1/auth/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(&self, anyone: Anyone, body: Body<Refresh>) -> Answer<Session> {
        Reply::new(&anyone.send(&body.0, None).await?.reply)
    }

    /// Log out
    ///
    /// Ends the session of the access token.
    #[oai(path = "/api/v1/auth/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        caller: Caller<Logout>,
        #[oai(name = "Idempotency-Key")] key: Key,
    ) -> Result<NoContent, ApiError> {
        caller.send(&Logout {}, key).await?;
        Ok(NoContent)
    }

    /// Get the public keys of access tokens
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "jwks")]
    async fn jwks(&self, anyone: Anyone) -> Answer<Keys> {
        let keys = anyone.ask(&GetKeys {}).await?.keys;
        let keys = keys.into_iter().map(|key| {
            let contract::VerificationKey { kid, kty, crv, alg, usage, x } = key;
            PublicKey { kid, kty, crv, alg, usage, x }
        });
        Ok(Reply::new(&Keys { keys: keys.collect() })?.public_unless(false))
    }
}
