//! An admin changes the role or the active flag of an account. Every change ends the access tokens that the account
//! already has, even one that grants more rights: its clients refresh.

use contract::Revoked;
use runtime::{CommandEnvelope, Handle, HandlerResult, Tx};
use subjects::identity::{ChangeUser, IdentityError, User, UserChanged, UserDeactivated, UserReactivated};
use uuid::Uuid;

use crate::{
    Identity,
    account::check_role,
    revoke::check_caller,
    store::{self, Account},
};

/// The role and the active flag to set; `None` if the account already has them.
fn decide(
    account: &Account,
    command: &ChangeUser,
    caller: Option<Uuid>,
) -> Result<Option<(String, bool)>, IdentityError> {
    if !account.version.is_expected(command.expected_version) {
        return Err(IdentityError::UserVersionMismatch);
    }
    let role = command.changes.role.as_ref().unwrap_or(&account.user.role);
    let is_active = command.changes.is_active.unwrap_or(account.user.is_active);
    if *role == account.user.role && is_active == account.user.is_active {
        return Ok(None);
    }
    if caller == Some(account.user.id.0) {
        // An admin who gave up the role could not restore it.
        return Err(IdentityError::CannotChangeYourself);
    }
    Ok(Some((role.clone(), is_active)))
}

impl Handle<ChangeUser> for Identity {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ChangeUser>,
    ) -> HandlerResult<User, IdentityError> {
        let message = &command.message;
        if let Some(role) = &message.changes.role {
            check_role(role)?;
        }
        let caller = command.caller.user().ok_or(IdentityError::InvalidToken)?;
        let accounts = store::lock_accounts(tx.locks(), &[caller.id, message.user_id.0]).await?;
        let account_of = |id| accounts.iter().find(|account| account.user.id.0 == id);
        let has_session_ended = store::has_session_ended(tx.reads(), caller.session).await?;
        check_caller(&command.caller, account_of(caller.id), has_session_ended)?;
        let account = account_of(message.user_id.0).ok_or(IdentityError::UserNotFound)?;
        let Some((role, is_active)) = decide(account, message, Some(caller.id))? else {
            return Ok(account.user());
        };
        let (was_active, user_id, now) = (account.user.is_active, account.user.id, tx.now());
        let user = User { role: role.clone(), is_active, updated_at: now, ..account.user.clone() };
        let mut changed = Account { user, ..account.clone() };
        let version = &mut changed.version;
        match (was_active, is_active) {
            (true, false) => tx.emit(&command.cause, version, &UserDeactivated { user_id })?,
            (false, true) => tx.emit(&command.cause, version, &UserReactivated { user_id, role })?,
            _ => tx.emit(&command.cause, version, &UserChanged { user_id, role, is_active })?,
        }
        store::update_account(tx.writes(), &changed).await?;
        self.revoke(tx, Revoked::Account { id: user_id.0, least_version: changed.version.get() }).await?;
        if was_active && !is_active {
            store::revoke_sessions(tx.writes(), user_id.0, "deactivated", now).await?;
        }
        Ok(changed.user())
    }
}

#[cfg(test)]
mod tests {
    use runtime::Version;
    use subjects::identity::UserChanges;

    use super::*;

    fn change(account: &Account, role: Option<&str>, is_active: Option<bool>) -> ChangeUser {
        let changes = UserChanges { role: role.map(str::to_owned), is_active };
        ChangeUser { user_id: account.user.id, changes, expected_version: None }
    }

    #[test]
    fn what_is_as_wished_already_is_no_change() {
        let account = Account::example();
        assert_eq!(decide(&account, &change(&account, None, None), None), Ok(None));
        let same = change(&account, Some("customer"), Some(true));
        assert_eq!(decide(&account, &same, Some(account.user.id.0)), Ok(None));
    }

    #[test]
    fn a_role_is_given_and_an_account_switched_off_and_on() {
        let account = Account::example();
        let seller = Some(("seller".into(), true));
        assert_eq!(decide(&account, &change(&account, Some("seller"), None), None), Ok(seller));
        let off = Some(("seller".into(), false));
        assert_eq!(decide(&account, &change(&account, Some("seller"), Some(false)), None), Ok(off));
        let mut sleeping = account;
        sleeping.user.is_active = false;
        let on = Some(("customer".into(), true));
        assert_eq!(decide(&sleeping, &change(&sleeping, None, Some(true)), None), Ok(on));
    }

    #[test]
    fn an_admin_cannot_lock_himself_out() {
        let mut admin = Account::example();
        admin.user.role = "admin".into();
        for command in [change(&admin, Some("seller"), None), change(&admin, None, Some(false))] {
            assert_eq!(decide(&admin, &command, Some(admin.user.id.0)), Err(IdentityError::CannotChangeYourself));
            assert!(decide(&admin, &command, Some(Uuid::now_v7())).is_ok());
        }
    }

    #[test]
    fn a_change_of_another_version_is_rejected() {
        let account = Account { version: Version::for_test(3), ..Account::example() };
        let command = ChangeUser { expected_version: Some(2), ..change(&account, Some("seller"), None) };
        assert_eq!(decide(&account, &command, None), Err(IdentityError::UserVersionMismatch));
        let command = ChangeUser { expected_version: Some(3), ..command };
        assert!(decide(&account, &command, None).is_ok());
    }
}
