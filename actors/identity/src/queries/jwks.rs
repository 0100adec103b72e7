//! The public keys that verify access tokens: the current one, and retired ones whose tokens may still be valid.

use contract::VerificationKeys;
use runtime::{Answer, Context, QueryResult};
use subjects::identity::{GetKeys, IdentityError};

use crate::{Identity, IdentityConfig};

fn keys(config: &IdentityConfig) -> VerificationKeys {
    let current = config.signing_key.verification_key();
    let retired = config.retired_keys.iter().filter(|key| key.kid != current.kid).cloned().collect::<Vec<_>>();
    VerificationKeys { keys: [vec![current], retired].concat() }
}

impl Answer<GetKeys> for Identity {
    async fn answer(&self, _cx: &Context, _query: &GetKeys) -> QueryResult<VerificationKeys, IdentityError> {
        Ok(keys(&self.config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn retired_keys_are_published_behind_the_one_in_use() {
        let make = || SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let (current, retired) = (make(), make().verification_key());
        let kid = current.kid().to_owned();
        let again = current.verification_key();
        let config = IdentityConfig { retired_keys: vec![retired.clone(), again], ..IdentityConfig::new(current) };
        let published: Vec<_> = keys(&config).keys.into_iter().map(|key| key.kid).collect();
        assert_eq!(published, [kid, retired.kid]);
    }
}
