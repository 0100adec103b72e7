//! The key that signs access tokens.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contract::VerificationKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding};
use jsonwebtoken::EncodingKey;
use rand::TryRngCore;
use sha2::{Digest, Sha256};

/// The text is not an Ed25519 private key in PKCS#8 PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 PEM")]
pub struct InvalidKey;

/// An Ed25519 key pair.
pub struct SigningKey {
    kid: String,
    public: [u8; 32],
    encoding: EncodingKey,
}

impl SigningKey {
    /// Generates a key as PKCS#8 PEM, which [`from_pem`](Self::from_pem) reads.
    ///
    /// # Errors
    /// If the operating system's random number generator fails.
    pub fn generate() -> std::io::Result<String> {
        let mut seed = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(std::io::Error::other)?;
        let pem = ed25519_dalek::SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF);
        Ok(pem.map_err(std::io::Error::other)?.to_string())
    }

    /// Reads a key in the format that `generate` and `openssl genpkey -algorithm ed25519` write.
    ///
    /// # Errors
    /// If the text is not an Ed25519 private key in PKCS#8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let pair = ed25519_dalek::SigningKey::from_pkcs8_pem(pem.trim()).map_err(|_| InvalidKey)?;
        let public = pair.verifying_key().to_bytes();
        let der = pair.to_pkcs8_der().map_err(|_| InvalidKey)?;
        Ok(Self { kid: thumbprint(&public), public, encoding: EncodingKey::from_ed_der(der.as_bytes()) })
    }

    /// The key id: the thumbprint (RFC 7638), so that the same key has the same id on every node.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key, for publication.
    pub fn verification_key(&self) -> VerificationKey {
        VerificationKey {
            kid: self.kid.clone(),
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            alg: "EdDSA".into(),
            usage: "sig".into(),
            x: URL_SAFE_NO_PAD.encode(self.public),
        }
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn thumbprint(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    // The required members for this key type (RFC 7638), in lexicographic order and without whitespace.
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_read_back_and_has_one_id() {
        let pem = SigningKey::generate().unwrap();
        let (one, other) = (SigningKey::from_pem(&pem).unwrap(), SigningKey::from_pem(&format!("\n{pem}\n")).unwrap());
        assert_eq!(one.kid(), other.kid());
        assert_eq!(one.verification_key(), other.verification_key());
        assert_ne!(one.kid(), SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap().kid());
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_of_openssl_is_read() {
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----\n";
        // RFC 8037, appendix A: the public key and its thumbprint.
        let key = SigningKey::from_pem(pem).unwrap();
        assert_eq!(key.verification_key().x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn anything_else_is_rejected() {
        for text in ["", "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(SigningKey::from_pem(text).err(), Some(InvalidKey), "{text}");
        }
    }
}
