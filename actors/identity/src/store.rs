//! Every statement of this domain.

mod accounts;
mod sessions;

pub(crate) use accounts::{
    Account, NewAccount, account_by_email, insert_account, lock_account, share_account, update_account,
};
pub(crate) use sessions::{
    NewToken, SessionState, Token, find_token, lock_session, open_session, reissue, revoke_session, revoke_sessions,
    rotate,
};
