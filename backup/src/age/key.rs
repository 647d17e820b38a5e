//! The keys as people hold them: `age1...` to seal, `AGE-SECRET-KEY-1...` to open.

use std::fmt;
use std::str::FromStr;

use bech32::{Bech32, Hrp};
use x25519_dalek::{PublicKey, StaticSecret};

const RECIPIENT: &str = "age";
const IDENTITY: &str = "age-secret-key-";

/// Why a text is no key. The text itself is not repeated.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// It is not what `age-keygen` prints as a public key.
    #[error("it is no age recipient; one begins with age1 and is printed by age-keygen")]
    Recipient,
    /// It is not what `age-keygen` writes as a secret key.
    #[error("it is no age identity; one begins with AGE-SECRET-KEY-1 and is written by age-keygen")]
    Identity,
    /// A secret key where the public one is wanted.
    #[error("this is the secret key: only its recipient (age1...) belongs here")]
    SecretAsRecipient,
}

/// To whom a backup is sealed: the public half of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient(pub(super) PublicKey);

/// What opens a backup: the secret half of a key.
#[derive(Clone)]
pub struct Identity(pub(super) StaticSecret);

impl Identity {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(StaticSecret::from(bytes)))
    }

    /// All keys of an identity file: one a line, with comments.
    ///
    /// # Errors
    /// When a line is no key, or there is none.
    pub fn file(text: &str) -> Result<Vec<Self>, KeyError> {
        let lines = text.lines().map(str::trim);
        let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<_> = keys.map(str::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::Identity);
        }
        Ok(keys)
    }

    /// Who may be given as recipient so that this key opens it.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }

    /// The key as `age-keygen` writes it: for a file that only its owner reads.
    #[must_use]
    pub fn expose(&self) -> String {
        encode(IDENTITY, &self.0.to_bytes()).to_uppercase()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("<secret>")
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&encode(RECIPIENT, self.0.as_bytes()))
    }
}

impl FromStr for Recipient {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.to_ascii_lowercase().starts_with(IDENTITY) {
            return Err(KeyError::SecretAsRecipient);
        }
        let bytes = decode(RECIPIENT, text).ok_or(KeyError::Recipient)?;
        Ok(Self(PublicKey::from(bytes)))
    }
}

impl FromStr for Identity {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(IDENTITY, text.trim()).ok_or(KeyError::Identity)?;
        Ok(Self(StaticSecret::from(bytes)))
    }
}

fn encode(kind: &str, bytes: &[u8; 32]) -> String {
    // Both kinds are short and well-formed, so neither step can refuse.
    let kind = Hrp::parse_unchecked(kind);
    bech32::encode::<Bech32>(kind, bytes).unwrap_or_default()
}

fn decode(kind: &str, text: &str) -> Option<[u8; 32]> {
    let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32>(text).ok()?;
    if checked.hrp().to_lowercase() != kind {
        return None;
    }
    let bytes: Vec<u8> = checked.byte_iter().collect();
    bytes.try_into().ok()
}
