//! Opens a session for a caller that knows the password.
//!
//! The password is checked before the lane, against the row as read at that time. The lane reads the row again under a
//! lock and reports the command as stale if the account has changed, so that no session outlives a changed password or
//! a deactivation. A retry opens a second session; the one whose reply was lost expires.

use std::time::Instant;

use contract::text::trimmed;
use runtime::{CommandEnvelope, Context, Handle, HandleError, HandlerResult, Prepare, PrepareError, Tx, Version};
use subjects::identity::{IdentityError, Login, Session};
use uuid::Uuid;

use crate::{
    Identity,
    account::may_be_email,
    back_off::Origin,
    store::{self, Account},
};

/// The account as of the password check.
pub struct Checked {
    id: Uuid,
    version: Version,
    password_hash: String,
}

impl Checked {
    pub(crate) fn of(account: Account) -> Self {
        Self { id: account.user.id.0, version: account.version, password_hash: account.password_hash }
    }

    /// Locks the account. The command is stale if the account has changed since the check.
    pub(crate) async fn lock(&self, tx: &mut Tx<'_>) -> HandlerResult<Account, IdentityError> {
        let account = store::share_account(tx.locks(), self.id).await?;
        account.filter(|account| self.still_holds(account)).ok_or(HandleError::Stale)
    }

    fn still_holds(&self, account: &Account) -> bool {
        account.version == self.version && account.password_hash == self.password_hash
    }
}

impl Prepare<Login> for Identity {
    type Prepared = Checked;

    async fn prepare(&self, cx: &Context, command: &Login) -> Result<Checked, PrepareError<IdentityError>> {
        let email = trimmed(&command.email);
        let origin = Origin::new(email, cx.client_address());
        self.back_off.admit(&origin, Instant::now()).map_err(PrepareError::RejectedUnrecorded)?;
        let known = if may_be_email(email) { store::account_by_email(cx.reads(), email).await? } else { None };
        let hash = known.as_ref().map(|account| account.password_hash.as_str());
        // An unknown address takes the same work, so that the duration reveals nothing.
        let is_right = self.hasher.verify(&command.password, hash).await?;
        self.back_off.settle(origin, is_right, Instant::now()).map_err(PrepareError::RejectedUnrecorded)?;
        let Some(account) = known.filter(|_| is_right) else {
            return Err(IdentityError::WrongCredentials.into());
        };
        if !account.user.is_active {
            // Revealed only to callers that know the password.
            return Err(IdentityError::AccountInactive.into());
        }
        Ok(Checked::of(account))
    }
}

impl Handle<Login, Checked> for Identity {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<Login, Checked>,
    ) -> HandlerResult<Session, IdentityError> {
        let account = command.prepared.lock(tx).await?;
        if !account.user.is_active {
            return Err(IdentityError::AccountInactive.into());
        }
        let session = self.open_session(tx, &account).await?;
        tracing::info!(user_id = %account.user.id, request_id = command.cause.request_id, "logged in");
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario 22: the values compared under the lock.
    #[test]
    fn a_checked_password_holds_for_the_row_it_was_checked_against() {
        let account = Account::example();
        let checked = Checked::of(account.clone());
        assert!(checked.still_holds(&account));
        assert!(!checked.still_holds(&Account { version: Version::for_test(2), ..account.clone() }));
        assert!(!checked.still_holds(&Account { password_hash: "another".into(), ..account }));
    }
}
