//! Continues a session.
//!
//! A session is a sequence of token generations. A token of the current generation starts the next one. A token of an
//! older generation has already been spent, so two parties hold tokens of this session and one of them stole it: the
//! session and its access tokens end for both. The one exception covers a lost reply: for 30 seconds, a token of the
//! previous generation is accepted again and yields another token of the current generation. The first of these
//! siblings to be used starts the next generation, which makes the others tokens of an old one.

use chrono::{DateTime, TimeDelta, Utc};
use contract::Revoked;
use runtime::{CommandEnvelope, Handle, HandleError, HandlerResult, Tx};
use subjects::{
    UserId,
    identity::{IdentityError, Refresh, Session, SessionRevoked},
};

use crate::{
    Identity,
    store::{self, SessionState, Token},
    token,
};

/// How long a token of the previous generation is accepted again.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// The most tokens of a generation, which bounds how many lost replies a client can recover from.
const MAX_SIBLINGS: i32 = 16;

/// The effect of presenting a refresh token.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Starts the next generation.
    Rotate,
    /// The reply was lost: issues another token of the current generation.
    Reissue,
    /// The token was already spent: ends the session.
    Revoke,
    /// The token is rejected and the session unchanged.
    Reject(IdentityError),
}

fn decide(token: &Token, session: &SessionState, is_active: bool, now: DateTime<Utc>) -> Step {
    if session.revoked_at.is_some() || token.expires_at <= now {
        return Step::Reject(IdentityError::InvalidRefreshToken);
    }
    if !is_active {
        return Step::Reject(IdentityError::AccountInactive);
    }
    if token.generation == session.generation {
        return Step::Rotate;
    }
    let was_spent_last = token.generation + 1 == session.generation;
    if was_spent_last && now - session.rotated_at <= GRACE && session.siblings < MAX_SIBLINGS {
        return Step::Reissue;
    }
    Step::Revoke
}

impl Handle<Refresh> for Identity {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<Refresh>,
    ) -> HandlerResult<Session, IdentityError> {
        let digest = token::digest(&command.message.refresh_token);
        let token = store::find_token(tx.reads(), &digest).await?.ok_or(IdentityError::InvalidRefreshToken)?;
        // Every transaction locks the account before the session.
        let account = store::share_account(tx.locks(), token.user_id).await?;
        let account = account.ok_or(IdentityError::InvalidRefreshToken)?;
        let session = store::lock_session(tx.locks(), token.session_id).await?;
        let session = session.ok_or(IdentityError::InvalidRefreshToken)?;
        let now = tx.now();
        match decide(&token, &session, account.user.is_active, now) {
            Step::Rotate => {
                let issued = self.issue(&account, token.session_id, now)?;
                store::rotate(tx.writes(), &issued.token).await?;
                Ok(issued.session)
            }
            Step::Reissue => {
                let issued = self.issue(&account, token.session_id, now)?;
                store::reissue(tx.writes(), &issued.token).await?;
                Ok(issued.session)
            }
            Step::Revoke => {
                tracing::warn!(
                    user_id = %token.user_id,
                    session_id = %token.session_id,
                    request_id = command.cause.request_id,
                    "spent refresh token reused, revoking its session"
                );
                store::revoke_session(tx.writes(), token.session_id, "reuse", now).await?;
                self.revoke(tx, Revoked::Session { id: token.session_id }).await?;
                let event = SessionRevoked { session_id: token.session_id, user_id: UserId(token.user_id) };
                tx.emit_first(&command.cause, &event)?;
                Err(HandleError::RejectedKeepingWrites(IdentityError::InvalidRefreshToken))
            }
            Step::Reject(why) => Err(why.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn token(generation: i64) -> Token {
        Token { session_id: Uuid::nil(), user_id: Uuid::nil(), generation, expires_at: now() + TimeDelta::days(1) }
    }

    fn session(generation: i64, seconds_ago: i64) -> SessionState {
        let rotated_at = now() - TimeDelta::seconds(seconds_ago);
        SessionState { generation, siblings: 1, rotated_at, revoked_at: None }
    }

    #[test]
    fn the_present_token_begins_the_next_generation() {
        assert_eq!(decide(&token(3), &session(3, 600), true, now()), Step::Rotate);
    }

    /// Scenario 21: the reply to a refresh was lost.
    #[test]
    fn the_token_spent_last_is_taken_again_for_half_a_minute() {
        assert_eq!(decide(&token(3), &session(4, 30), true, now()), Step::Reissue);
        assert_eq!(decide(&token(3), &session(4, 31), true, now()), Step::Revoke);
    }

    #[test]
    fn a_token_spent_before_the_last_ends_the_session_at_once() {
        assert_eq!(decide(&token(2), &session(4, 0), true, now()), Step::Revoke);
    }

    #[test]
    fn lost_replies_do_not_accumulate_tokens() {
        let crowded = SessionState { siblings: MAX_SIBLINGS, ..session(4, 1) };
        assert_eq!(decide(&token(3), &crowded, true, now()), Step::Revoke);
    }

    #[test]
    fn ended_sessions_old_tokens_and_inactive_accounts_are_rejected() {
        let invalid = Step::Reject(IdentityError::InvalidRefreshToken);
        let ended = SessionState { revoked_at: Some(now()), ..session(3, 600) };
        assert_eq!(decide(&token(3), &ended, true, now()), invalid);
        let old = Token { expires_at: now(), ..token(3) };
        assert_eq!(decide(&old, &session(3, 600), true, now()), invalid);
        let inactive = Step::Reject(IdentityError::AccountInactive);
        assert_eq!(decide(&token(3), &session(3, 600), false, now()), inactive);
    }
}
