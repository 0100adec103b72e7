//! Ends the session of the access token, and with it every token of that session.

use contract::Revoked;
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::{
    UserId,
    identity::{Done, IdentityError, Logout, SessionRevoked},
};

use crate::{Identity, revoke::check_caller, store};

impl Handle<Logout> for Identity {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Logout>) -> HandlerResult<Done, IdentityError> {
        let caller = command.caller.user().ok_or(IdentityError::InvalidToken)?;
        let account = store::share_account(tx.locks(), caller.id).await?;
        let session = store::lock_session(tx.locks(), caller.session).await?;
        let has_session_ended = store::has_session_ended(tx.reads(), caller.session).await?;
        check_caller(&command.caller, account.as_ref(), has_session_ended)?;
        let now = tx.now();
        store::revoke_session(tx.writes(), caller.session, "logout", now).await?;
        self.revoke(tx, Revoked::Session { id: caller.session }).await?;
        // A session deleted to make room for newer ones has no row that would guard against emitting the event twice.
        if session.is_some() {
            let event = SessionRevoked { session_id: caller.session, user_id: UserId(caller.id) };
            tx.emit_first(&command.cause, &event)?;
        }
        Ok(Done {})
    }
}
