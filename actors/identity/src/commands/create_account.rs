//! Creates an account with any role: the first admin, a demo account. The command is idempotent: an existing account
//! is left unchanged, password included, and is returned if it has the requested role.

use contract::{Fields, text::trimmed};
use runtime::{CommandEnvelope, Context, Handle, HandlerResult, Prepare, PrepareError, Tx};
use subjects::identity::{CreateAccount, IdentityError, User};

use crate::{
    Identity,
    account::{check_password, check_role, easily_guessed, finish},
    commands::register::insert,
    store::{self, Account},
};

/// The result of the checks before the transaction.
pub enum Checked {
    /// The address is free. Holds the hash of the password.
    Free { password_hash: String },
    /// The address has an account with the requested role.
    Known(User),
}

fn validate(command: &CreateAccount) -> Result<(), IdentityError> {
    check_role(&command.role)?;
    let mut fields = Fields::default();
    fields.email("email", &command.email);
    check_password(&mut fields, &command.password);
    finish(fields)
}

fn known(account: &Account, role: &str) -> Result<User, IdentityError> {
    if account.user.role == role { Ok(account.user()) } else { Err(IdentityError::EmailTaken) }
}

impl Prepare<CreateAccount> for Identity {
    type Prepared = Checked;

    async fn prepare(&self, cx: &Context, command: &CreateAccount) -> Result<Checked, PrepareError<IdentityError>> {
        validate(command)?;
        match store::account_by_email(cx.reads(), trimmed(&command.email)).await? {
            Some(account) => Ok(Checked::Known(known(&account, &command.role)?)),
            None => {
                let hash = self.hasher.hash(&command.password, &[&command.email]).await?;
                Ok(Checked::Free { password_hash: hash.ok_or_else(easily_guessed)? })
            }
        }
    }
}

impl Handle<CreateAccount, Checked> for Identity {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreateAccount, Checked>,
    ) -> HandlerResult<User, IdentityError> {
        let password_hash = match &command.prepared {
            // This branch writes nothing, so the read needs no repetition under a lock.
            Checked::Known(user) => return Ok(user.clone()),
            Checked::Free { password_hash } => password_hash,
        };
        let CreateAccount { email, role, .. } = &command.message;
        let account = Account::new(email, role, password_hash.clone(), command.cause.id, tx.now());
        Ok(insert(tx, &command.cause, account).await?.user())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_the_same_role_is_the_answer() {
        let account = Account::example();
        assert_eq!(known(&account, "customer"), Ok(account.user()));
        assert_eq!(known(&account, "admin"), Err(IdentityError::EmailTaken));
    }

    #[test]
    fn the_role_must_be_one_of_the_shops() {
        let command = CreateAccount {
            email: "root@souk.example".into(),
            password: "correct horse battery".into(),
            role: "root".into(),
        };
        assert_eq!(validate(&command), Err(IdentityError::UnknownRole));
        assert_eq!(validate(&CreateAccount { role: "admin".into(), ..command }), Ok(()));
    }
}
