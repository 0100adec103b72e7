//! Creates an account with the role `customer`.
//!
//! The reply holds secrets, so it is never stored, and a command may run twice: the sender retries when the reply is
//! lost. The account therefore records the command that created it. The second run finds that account, verifies the
//! password and returns a new session; any other command is rejected because the address is taken.

use contract::{Fields, text::trimmed};
use runtime::{Cause, CommandEnvelope, Context, Handle, HandleError, HandlerResult, Prepare, PrepareError, Tx};
use subjects::{
    identity::{IdentityError, Register, Session, User, UserRegistered},
    roles,
};
use uuid::Uuid;

use crate::{
    Identity,
    account::{check_password, check_text, easily_guessed, finish},
    commands::login,
    store::{self, Account},
};

/// The result of the checks before the transaction.
pub enum Checked {
    /// The address is free. Holds the hash of the password.
    Free { password_hash: String },
    /// The address has an account with the same password.
    Known(login::Checked),
}

fn validate(command: &Register) -> Result<(), IdentityError> {
    let mut fields = Fields::default();
    fields.email("email", &command.email);
    check_password(&mut fields, &command.password);
    check_text(&mut fields, "first_name", command.first_name.as_deref(), 100);
    check_text(&mut fields, "last_name", command.last_name.as_deref(), 100);
    check_text(&mut fields, "username", command.username.as_deref(), 100);
    check_text(&mut fields, "phone", command.phone.as_deref(), 40);
    finish(fields)
}

/// Accepts an account that an earlier run of this command created, whose reply was lost.
fn is_own_work(account: &Account, cause: Uuid) -> Result<(), IdentityError> {
    if account.made_by != cause {
        return Err(IdentityError::EmailTaken);
    }
    if account.user.is_active { Ok(()) } else { Err(IdentityError::AccountInactive) }
}

impl Prepare<Register> for Identity {
    type Prepared = Checked;

    async fn prepare(&self, cx: &Context, command: &Register) -> Result<Checked, PrepareError<IdentityError>> {
        validate(command)?;
        let Some(known) = store::account_by_email(cx.reads(), trimmed(&command.email)).await? else {
            let names = [&command.username, &command.first_name, &command.last_name, &command.phone];
            let of_account: Vec<&str> =
                names.into_iter().flatten().chain([&command.email]).map(String::as_str).collect();
            let password_hash = self.hasher.hash(&command.password, &of_account).await?.ok_or_else(easily_guessed)?;
            return Ok(Checked::Free { password_hash });
        };
        if !self.hasher.verify(&command.password, Some(&known.password_hash)).await? {
            return Err(IdentityError::EmailTaken.into());
        }
        Ok(Checked::Known(login::Checked::of(known)))
    }
}

impl Handle<Register, Checked> for Identity {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<Register, Checked>,
    ) -> HandlerResult<Session, IdentityError> {
        let account = match &command.prepared {
            Checked::Known(checked) => {
                let account = checked.lock(tx).await?;
                is_own_work(&account, command.cause.id)?;
                account
            }
            Checked::Free { password_hash } => {
                let Register { email, username, first_name, last_name, phone, .. } = command.message.clone();
                let new = Account::new(&email, roles::CUSTOMER, password_hash.clone(), command.cause.id, tx.now());
                let user = User { username, first_name, last_name, phone, ..new.user };
                let account = Account { user, ..new };
                insert(tx, &command.cause, account).await?
            }
        };
        Ok(self.open_session(tx, &account).await?)
    }
}

/// Creates an account. If the address was taken in the meantime, nothing is written and `prepare` runs again.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    cause: &Cause,
    mut account: Account,
) -> HandlerResult<Account, IdentityError> {
    let User { id: user_id, email, role, first_name, last_name, .. } = account.user.clone();
    let event = UserRegistered { user_id, email, role, first_name, last_name };
    tx.emit(cause, &mut account.version, &event)?;
    let account = store::insert_account(tx.writes(), &account).await?.ok_or(HandleError::Stale)?;
    let User { id: user_id, role, .. } = &account.user;
    tracing::info!(%user_id, role, request_id = cause.request_id, "account created");
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(email: &str) -> Register {
        Register {
            email: email.into(),
            password: "correct horse battery".into(),
            first_name: None,
            last_name: None,
            username: None,
            phone: None,
        }
    }

    #[test]
    fn blanks_around_the_address_do_no_harm() {
        assert_eq!(validate(&register("  ann@example.com ")), Ok(()));
    }

    #[test]
    fn wrong_fields_are_named_as_the_client_sent_them() {
        let command = Register { first_name: Some("A\0".into()), phone: Some("1".repeat(41)), ..register("ann") };
        let Err(IdentityError::InvalidAccount { fields }) = validate(&command) else { panic!("must be rejected") };
        assert_eq!(
            fields.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(),
            ["email", "first_name", "phone"]
        );
    }

    #[test]
    fn a_second_run_finds_its_own_account_only() {
        let own = Uuid::now_v7();
        let account = Account { made_by: own, ..Account::example() };
        assert_eq!(is_own_work(&account, own), Ok(()));
        assert_eq!(is_own_work(&account, Uuid::now_v7()), Err(IdentityError::EmailTaken));
        let mut switched_off = account;
        switched_off.user.is_active = false;
        assert_eq!(is_own_work(&switched_off, own), Err(IdentityError::AccountInactive));
    }
}
