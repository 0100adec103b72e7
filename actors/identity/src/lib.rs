//! Accounts, roles, sessions and the tokens that authenticate them.
//!
//! Guarantees: a password is stored only as an Argon2id hash and a refresh token only as a digest. A refresh token can
//! be used once; a second use ends the session, because the token may have been stolen. An inactive account can neither
//! log in nor refresh. Access tokens are revoked when their account becomes inactive or changes its role, and when
//! their session ends. Neither the duration of a login nor its answer reveals whether an e-mail address has an account.
//! Failed logins delay further ones of the same account and client address, and no others.
//!
//! To read first: `session.rs`, `commands/refresh.rs`, `revoke.rs` (how tokens end early).

mod account;
mod back_off;
mod commands;
mod config;
mod key;
mod password;
mod queries;
mod revoke;
mod session;
mod store;
mod token;

pub use config::IdentityConfig;
pub use key::{InvalidKey, SigningKey};

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::identity::{
    ChangeUser, CreateAccount, DOMAIN, GetKeys, GetRevocations, Login, Logout, Refresh, Register,
};

use crate::{back_off::BackOff, password::Hasher};

/// The domain.
pub struct Identity {
    config: IdentityConfig,
    hasher: Hasher,
    back_off: BackOff,
}

impl Identity {
    /// Creates the domain from its signing key and limits.
    pub fn new(config: IdentityConfig) -> Self {
        let hasher = Hasher::new(config.hash_parallelism);
        Self { config, hasher, back_off: BackOff::default() }
    }
}

impl Domain for Identity {
    const NAME: &'static str = DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/identity")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.query::<GetKeys>();
        routes.query::<GetRevocations>();
        routes.prepared_command::<Register>();
        routes.prepared_command::<Login>();
        routes.command::<Refresh>();
        routes.command::<Logout>();
        routes.command::<ChangeUser>();
        routes.prepared_command::<CreateAccount>();
        routes.retention();
    }
}
