//! An admin changes the role or the active flag of an account. Every change ends the access tokens that the account
//! already has, even one that grants more rights: its clients refresh.

use contract::Revoked;
use runtime::{Breakage, Commanded, Handle, Handled, Tx};
use subjects::identity::{ChangeUser, IdentityError, User, UserChanged, UserDeactivated, UserReactivated};
use uuid::Uuid;

use crate::{
    Identity,
    account::check_role,
    revoke::check_caller,
    store::{self, Account},
};

/// The change to make.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// The account already has the requested state.
    Nothing,
    /// The role changes; the active flag stays.
    ChangeRole { role: String },
    /// The account becomes active again.
    Reactivate { role: String },
    /// The account becomes inactive, and its sessions end.
    Deactivate { role: String },
}

fn decide(account: &Account, command: &ChangeUser, caller: Option<Uuid>) -> Result<Decision, IdentityError> {
    if !account.version.is_expected(command.expected_version) {
        return Err(IdentityError::UserVersionMismatch);
    }
    let role = command.changes.role.clone().unwrap_or_else(|| account.user.role.clone());
    let is_active = command.changes.is_active.unwrap_or(account.user.is_active);
    if role == account.user.role && is_active == account.user.is_active {
        return Ok(Decision::Nothing);
    }
    if caller == Some(account.user.id.0) {
        // An admin who gave up the role could not restore it.
        return Err(IdentityError::CannotChangeYourself);
    }
    if account.user.is_active && !is_active {
        return Ok(Decision::Deactivate { role });
    }
    if !account.user.is_active && is_active {
        return Ok(Decision::Reactivate { role });
    }
    Ok(Decision::ChangeRole { role })
}

impl Handle<ChangeUser> for Identity {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<ChangeUser>) -> Handled<User, IdentityError> {
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
        let next = |role, is_active, now| Account {
            user: User { role, is_active, updated_at: now, ..account.user.clone() },
            ..account.clone()
        };
        let (user_id, now) = (account.user.id, tx.now());
        match decide(account, message, Some(caller.id))? {
            Decision::Nothing => Ok(account.user()),
            Decision::ChangeRole { role } => {
                let mut changed = next(role, account.user.is_active, now);
                let event = UserChanged { user_id, role: changed.user.role.clone(), is_active: changed.user.is_active };
                tx.emit(&command.cause, &mut changed.version, &event)?;
                self.change(tx, &changed).await?;
                Ok(changed.user())
            }
            Decision::Reactivate { role } => {
                let mut changed = next(role, true, now);
                let event = UserReactivated { user_id, role: changed.user.role.clone() };
                tx.emit(&command.cause, &mut changed.version, &event)?;
                self.change(tx, &changed).await?;
                Ok(changed.user())
            }
            Decision::Deactivate { role } => {
                let mut changed = next(role, false, now);
                tx.emit(&command.cause, &mut changed.version, &UserDeactivated { user_id })?;
                self.change(tx, &changed).await?;
                store::revoke_sessions(tx.writes(), changed.user.id.0, "deactivated", now).await?;
                Ok(changed.user())
            }
        }
    }
}

impl Identity {
    async fn change(&self, tx: &mut Tx<'_>, changed: &Account) -> Result<(), Breakage> {
        store::update_account(tx.writes(), changed).await?;
        self.revoke(tx, Revoked::Account { id: changed.user.id.0, least_version: changed.version.get() }).await
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
        assert_eq!(decide(&account, &change(&account, None, None), None), Ok(Decision::Nothing));
        let same = change(&account, Some("customer"), Some(true));
        assert_eq!(decide(&account, &same, Some(account.user.id.0)), Ok(Decision::Nothing));
    }

    #[test]
    fn a_role_is_given_and_an_account_switched_off_and_on() {
        let account = Account::example();
        let seller = Decision::ChangeRole { role: "seller".into() };
        assert_eq!(decide(&account, &change(&account, Some("seller"), None), None), Ok(seller));
        let off = Decision::Deactivate { role: "seller".into() };
        assert_eq!(decide(&account, &change(&account, Some("seller"), Some(false)), None), Ok(off));
        let mut sleeping = account;
        sleeping.user.is_active = false;
        let on = Decision::Reactivate { role: "customer".into() };
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
    fn a_change_of_another_version_is_refused() {
        let account = Account { version: Version::for_test(3), ..Account::example() };
        let command = ChangeUser { expected_version: Some(2), ..change(&account, Some("seller"), None) };
        assert_eq!(decide(&account, &command, None), Err(IdentityError::UserVersionMismatch));
        let command = ChangeUser { expected_version: Some(3), ..command };
        assert!(decide(&account, &command, None).is_ok());
    }
}
