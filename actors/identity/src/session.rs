//! The tokens of a session, as register, login and refresh issue them.

use chrono::{DateTime, TimeDelta, Utc};
use runtime::{InternalError, Tx};
use subjects::identity::Session;
use uuid::Uuid;

use crate::{
    Identity,
    store::{self, Account, NewToken},
    token,
};

/// Tokens that are about to be issued.
pub(crate) struct Issued {
    /// The stored part.
    pub token: NewToken,
    /// The reply to the client.
    pub session: Session,
}

impl Identity {
    /// Opens a session for an account. Not idempotent: a retry opens a second session, and the one whose reply was lost
    /// expires.
    pub(crate) async fn open_session(&self, tx: &mut Tx<'_>, account: &Account) -> Result<Session, InternalError> {
        let issued = self.issue(account, Uuid::now_v7(), tx.now())?;
        store::open_session(tx.writes(), account.user.id.0, &issued.token).await?;
        Ok(issued.session)
    }

    /// Issues the tokens of a session.
    pub(crate) fn issue(&self, account: &Account, session: Uuid, now: DateTime<Utc>) -> Result<Issued, InternalError> {
        let (refresh_token, digest) = token::refresh_token()?;
        let access_ttl = self.config.access_ttl;
        let access_token = token::sign(&self.config.signing_key, account, session, now, access_ttl)?;
        let lives = TimeDelta::from_std(self.config.refresh_ttl).map_err(InternalError::other)?;
        let expires_at =
            now.checked_add_signed(lives).ok_or_else(|| InternalError::other("refresh_ttl is too long"))?;
        Ok(Issued {
            token: NewToken { session, digest, now, expires_at },
            session: Session {
                user: account.user(),
                access_token,
                refresh_token,
                token_type: "Bearer".into(),
                expires_in: i64::try_from(access_ttl.as_secs()).map_err(InternalError::other)?,
            },
        })
    }
}
