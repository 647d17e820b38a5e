//! Secrets: given in place, from the environment, or in a file; never printed.

use secrecy::{ExposeSecret, SecretString};

use crate::{Node, Reader, Value, value::scalar};

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
        scalar(node, reader, "a secret").map(Self::new)
    }

    fn decode_companion(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let path = std::path::PathBuf::decode(node, reader)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(Self::new(text.trim_end_matches(['\r', '\n']))),
            Err(err) => {
                reader.fault(
                    &node.place,
                    format!("cannot read {}: {err}", path.display()),
                );
                None
            }
        }
    }

    fn show(&self) -> String {
        String::new()
    }
}
