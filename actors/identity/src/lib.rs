//! Who somebody is: accounts, roles, sessions and the tokens that prove them.
//!
//! What it promises: a password is stored as an Argon2id hash and a refresh token as a digest, never as themselves. A
//! refresh token is good for one use; a second use ends the whole session, because one of the two users is a thief. An
//! account that is switched off can neither log in nor refresh, and its access tokens
//! end; so do those of an account whose role changes and of a session that ends. Whether an e-mail address has an account cannot be told
//! from how long a login takes.

mod account;
mod change_user;
mod config;
mod create_account;
mod jwks;
mod key;
mod login;
mod logout;
mod password;
mod refresh;
mod register;
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

use crate::password::Hasher;

/// The domain.
pub struct Identity {
    config: IdentityConfig,
    hasher: Hasher,
}

impl Identity {
    /// The domain, with its key and its limits.
    pub fn new(config: IdentityConfig) -> Self {
        let hasher = Hasher::new(config.hash_parallelism);
        Self { config, hasher }
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
        routes.tidied();
    }
}
