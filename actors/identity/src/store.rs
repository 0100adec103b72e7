//! All SQL of this domain.

mod accounts;
mod revocations;
mod sessions;

pub(crate) use accounts::{Account, account_by_email, insert_account, lock_accounts, share_account, update_account};
pub(crate) use revocations::{
    delete_expired_revocations, has_session_ended, insert_revocation, is_revoked, revocations_after,
};
pub(crate) use sessions::{
    NewToken, SessionState, Token, find_token, lock_session, open_session, reissue, revoke_session, revoke_sessions,
    rotate,
};
