//! Secrets: given in place, from the environment, or in a file; never printed.

use secrecy::{ExposeSecret, SecretString};

use crate::{Node, Reader, Value, read_file, value::scalar};

/// A file that holds one secret is no longer than this, in bytes.
const LONGEST_FILE: u64 = 64 << 10;

/// Whether a key, or the way to it, is named as if it held a secret. Values of
/// such keys are never repeated.
#[must_use]
pub fn names_secret(key: &str) -> bool {
    const WORDS: [&str; 7] = [
        "pass",
        "pwd",
        "secret",
        "token",
        "credential",
        "key",
        "auth",
    ];
    let key = key.to_ascii_lowercase();
    WORDS.iter().any(|word| key.contains(word))
}

/// A password or token. It prints as `<secret>`, and is wiped when dropped.
#[derive(Clone, Default)]
pub struct Secret(Option<SecretString>);

impl Secret {
    /// Holds `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Some(SecretString::from(text.into())))
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_ref().map_or("", |secret| secret.expose_secret())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if self.is_empty() { "none" } else { "<secret>" })
    }
}

impl Value for Secret {
    const COMPANION: Option<&'static str> = Some("_file");

    fn kind() -> String {
        "secret".into()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let text = scalar(node, reader, "a secret")?;
        reader.hide(&text);
        Some(Self::new(text))
    }

    fn decode_companion(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let path = std::path::PathBuf::decode(node, reader)?;
        match read_file(&path, LONGEST_FILE) {
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']);
                reader.hide(text);
                Some(Self::new(text))
            }
            Err(err) => {
                // The name stays out: it may be the secret itself, under the wrong key.
                reader.fault(&node.place, format!("cannot read the file it names: {err}"));
                None
            }
        }
    }

    fn show(&self) -> String {
        String::new()
    }
}
