//! Revokes access tokens and lists the revocations.
//!
//! A token carries the version of its account and the id of its session. Every change to the rights of an account
//! raises its version, so one row revokes all earlier tokens of an account, and one row revokes all tokens of a
//! session. The row is written in the transaction that removes the rights. Nodes poll these rows once a second and
//! reject the tokens they match; this domain reads the account itself in each write transaction that acts for a caller.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{RevocationsPage, Revoked};
use runtime::{Answer, Caller, Context, InternalError, QueryResult, Retention, Tx, Writes};
use subjects::identity::{GetRevocations, IdentityError, User};

use crate::{
    Identity,
    store::{self, Account},
};

/// Revocations per reply.
const PAGE: usize = 1000;

/// How much longer a revocation lives than the tokens that it revokes: a transaction that began after the revoking one
/// may still sign a token, and the clock of a reader may be off by a second.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

impl Identity {
    /// Revokes tokens as of this commit.
    pub(crate) async fn revoke(&self, tx: &mut Tx<'_>, revoked: Revoked) -> Result<(), InternalError> {
        let expires_at = self.last_token_ends(tx.now())?;
        store::insert_revocation(tx.writes(), revoked, expires_at).await
    }

    /// The time by which every token signed until now has expired.
    pub(crate) fn last_token_ends(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, InternalError> {
        let ttl = TimeDelta::from_std(self.config.access_ttl).map_err(InternalError::other)?;
        now.checked_add_signed(ttl + MARGIN).ok_or_else(|| InternalError::other("access_ttl is too long"))
    }
}

/// Rejects a caller whose token is no longer valid. `account` is the caller's row as locked by this transaction.
pub(crate) fn check_caller(
    caller: &Caller,
    account: Option<&Account>,
    has_session_ended: bool,
) -> Result<(), IdentityError> {
    let still_holds = |account: &&Account| {
        caller.user().is_some_and(|token| {
            let User { id, role, .. } = &account.user;
            token.id == id.0 && token.version >= account.version.get() && token.role == *role
        })
    };
    match account.filter(still_holds) {
        Some(account) if account.user.is_active && !has_session_ended => Ok(()),
        _ => Err(IdentityError::InvalidToken),
    }
}

impl Answer<GetRevocations> for Identity {
    async fn answer(&self, cx: &Context, query: &GetRevocations) -> QueryResult<RevocationsPage, IdentityError> {
        let GetRevocations { request } = query;
        if let Some(token) = &request.token {
            let is_revoked = Some(store::is_revoked(cx.reads(), token).await?);
            return Ok(RevocationsPage { is_revoked, ..RevocationsPage::default() });
        }
        let limit = i64::try_from(PAGE + 1).map_err(InternalError::other)?;
        let mut revocations = store::revocations_after(cx.reads(), request.after, limit).await?;
        let has_more = revocations.len() > PAGE;
        revocations.truncate(PAGE);
        Ok(RevocationsPage { revocations, has_more, is_revoked: None })
    }
}

impl Retention for Identity {
    async fn delete_expired(&self, db: Writes<'_>, limit: u64) -> Result<u64, InternalError> {
        store::delete_expired_revocations(db, limit).await
    }
}

#[cfg(test)]
mod tests {
    use runtime::Version;
    use uuid::Uuid;

    use super::*;

    fn caller(account: &Account, version: i64, role: &str) -> Caller {
        let (role, session) = (role.to_owned(), Uuid::now_v7());
        Caller::User(runtime::Identity { id: account.user.id.0, role, version, session, issued_at: 0 })
    }

    #[test]
    fn a_token_holds_for_the_account_as_it_was_signed_for() {
        let mut account = Account { version: Version::for_test(3), ..Account::example() };
        account.user.role = "admin".into();
        let check = |caller: &Caller, account, has_ended| check_caller(caller, account, has_ended);
        let present = caller(&account, 3, "admin");
        assert_eq!(check(&present, Some(&account), false), Ok(()));

        let revoked = Err(IdentityError::InvalidToken);
        assert_eq!(check(&present, Some(&account), true), revoked, "its session has ended");
        assert_eq!(check(&caller(&account, 2, "admin"), Some(&account), false), revoked, "an older version");
        assert_eq!(check(&caller(&account, 0, "admin"), Some(&account), false), revoked, "no version");
        assert_eq!(check(&caller(&account, 3, "seller"), Some(&account), false), revoked, "another role");
        let mut inactive = account.clone();
        inactive.user.is_active = false;
        assert_eq!(check(&present, Some(&inactive), false), revoked);
        assert_eq!(check(&present, None, false), revoked);
        assert_eq!(check(&Caller::Anonymous, Some(&account), false), revoked);
    }
}
