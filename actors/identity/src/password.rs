//! Password hashes: Argon2id with the OWASP parameters, on blocking threads and with bounded concurrency. The input of
//! the hash is the password's composed form (NFC), so that it matches whichever form the client's keyboard produces.

use std::{borrow::Cow, sync::Arc};

use argon2::{
    Argon2, Params,
    password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use contract::{ServiceError, text::composed};
use runtime::InternalError;
use subjects::identity::DOMAIN;
use tokio::sync::Semaphore;

/// How many calls may wait per running hash; further ones fail as unavailable. At some 20 ms a hash, the wait stays
/// close to a second.
const WAITING: usize = 64;

/// Hashes and verifies passwords with bounded concurrency.
pub(crate) struct Hasher {
    /// Permits of waiting and running calls.
    admitted: Arc<Semaphore>,
    /// Permits of running calls.
    running: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new(parallelism: usize) -> Self {
        let parallelism = parallelism.max(1);
        Self {
            admitted: Arc::new(Semaphore::new(parallelism * (1 + WAITING))),
            running: Arc::new(Semaphore::new(parallelism)),
        }
    }

    /// Hashes a new password for storage. Returns `None` if the password is easily guessed, including by a guesser that
    /// knows the given words of the account.
    pub(crate) async fn hash(&self, password: &str, of_account: &[&str]) -> Result<Option<String>, InternalError> {
        let password = composed(password).into_owned();
        let of_account: Vec<String> = of_account.iter().map(|word| (*word).to_owned()).collect();
        self.run(move || if is_guessed(&password, &of_account) { Ok(None) } else { hash(&password).map(Some) }).await
    }

    /// Verifies a password against a stored hash. Without a hash the result is `false`, after the same amount of work.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, InternalError> {
        let password = password.to_owned();
        let (hash, known) = match hash {
            Some(hash) => (hash.to_owned(), true),
            None => (decoy_hash(), false),
        };
        let is_right = move || {
            // The password as received comes first: it may have been hashed without composition.
            let is_right = verify(&password, &hash)?;
            match composed(&password) {
                Cow::Owned(composed) if !is_right => verify(&composed, &hash),
                _ => Ok(is_right),
            }
        };
        Ok(self.run(is_right).await? && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, InternalError> + Send + 'static,
    ) -> Result<T, InternalError> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| ServiceError::overloaded(DOMAIN))?;
        let running = self.running.clone().acquire_owned().await.map_err(InternalError::other)?;
        let task = tokio::task::spawn_blocking(move || {
            // The task owns the permits: a cancelled call frees its slot only when its hash is done.
            let _held = (admitted, running);
            work()
        });
        task.await.map_err(InternalError::other)?
    }
}

/// Whether a guesser with dictionaries of names and words, keyboard patterns and dates needs fewer than a million
/// tries.
fn is_guessed(password: &str, of_account: &[String]) -> bool {
    let of_account: Vec<&str> = of_account.iter().map(String::as_str).collect();
    zxcvbn::zxcvbn(password, &of_account).score() < zxcvbn::Score::Two
}

fn hash(password: &str) -> Result<String, InternalError> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(InternalError::other)?;
    Ok(hash.to_string())
}

fn verify(password: &str, hash: &str) -> Result<bool, InternalError> {
    let hash = PasswordHash::new(hash).map_err(InternalError::other)?;
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(InternalError::other(error)),
    }
}

/// A hash that no account has, which costs as much to verify as a real one.
fn decoy_hash() -> String {
    let (m, t, p) = (Params::DEFAULT_M_COST, Params::DEFAULT_T_COST, Params::DEFAULT_P_COST);
    format!("$argon2id$v=19$m={m},t={t},p={p}$bm9ib2R5J3Mgc2FsdC4uLg$bm9ib2R5J3MgaGFzaCwgYXMgbG9uZyBhcyBhIG9uZS4")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_only() {
        let hasher = Hasher::new(2);
        let hash = hasher.hash("correct horse battery", &[]).await.unwrap().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!hash.contains("horse"));
        assert!(hasher.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse", Some(&hash)).await.unwrap());
        assert_ne!(hash, hasher.hash("correct horse battery", &[]).await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_password_opens_its_account_from_every_keyboard() {
        let hasher = Hasher::new(2);
        let (composed, decomposed) = ("gr\u{fc}ne Wiesen im Mai", "gru\u{308}ne Wiesen im Mai");
        let hash_of = async |password| hasher.hash(password, &[]).await.unwrap().unwrap();
        for made_of in [composed, decomposed] {
            let stored = hash_of(made_of).await;
            assert!(hasher.verify(composed, Some(&stored)).await.unwrap());
            assert!(hasher.verify(decomposed, Some(&stored)).await.unwrap());
        }
        // A hash of the password as received, without composition.
        let stored = hash(decomposed).unwrap();
        assert!(hasher.verify(decomposed, Some(&stored)).await.unwrap());
    }

    #[tokio::test]
    async fn an_easily_guessed_password_has_no_hash() {
        let hasher = Hasher::new(2);
        for guessed in ["1234567890", "password123", "qwertyuiop", "aaaaaaaaaaaa", "ann.other@shop.example"] {
            assert!(hasher.hash(guessed, &["ann.other@shop.example"]).await.unwrap().is_none(), "{guessed}");
        }
    }

    #[tokio::test]
    async fn an_unknown_account_costs_the_same_work() {
        assert!(!Hasher::new(1).verify("anything at all", None).await.unwrap());
        // The parameters and lengths equal those of a real hash.
        let shape = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        let (real, decoy) = (hash("anything at all").unwrap(), decoy_hash());
        assert_eq!(shape(&real), shape(&decoy));
        assert_eq!(real.len(), decoy.len());
    }

    #[tokio::test]
    async fn one_too_many_is_rejected() {
        let hasher = Hasher::new(1);
        let _busy = hasher.admitted.clone().acquire_many_owned(65).await.unwrap();
        let Err(InternalError::ServiceError(error)) = hasher.hash("correct horse battery", &[]).await else {
            panic!("must be rejected");
        };
        assert_eq!(error, ServiceError::overloaded(DOMAIN));
    }
}
