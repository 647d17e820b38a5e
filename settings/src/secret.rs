//! Secrets: given in place, from the environment, or in a file; never printed.

use std::io;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::{Node, Reader, Value, read_fresh, read_soon, value::scalar};

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
pub struct Secret {
    text: Option<SecretString>,
    /// The file that holds it.
    file: Option<PathBuf>,
}

impl Secret {
    /// Holds `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: Some(SecretString::from(text.into())),
            file: None,
        }
    }

    /// One whose file has yet to be opened.
    fn in_file(path: PathBuf) -> Self {
        let file = (!path.as_os_str().is_empty()).then_some(path);
        Self { text: None, file }
    }

    /// The text as it is at this moment: one that a file holds is read again, so
    /// that it can be changed without a word to us.
    ///
    /// # Errors
    /// The file cannot be read any more, or its disk does not answer.
    pub async fn read(&self) -> io::Result<String> {
        match &self.file {
            None => Ok(self.expose().to_owned()),
            Some(file) => Ok(one_line(read_fresh(file, LONGEST_FILE).await?)),
        }
    }

    /// Whether a file holds it.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        self.file.is_some()
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty() && !self.is_later()
    }

    /// Whether its file has yet to be opened.
    fn is_later(&self) -> bool {
        self.text.is_none() && self.file.is_some()
    }

    /// The text itself, for the one place that sends it; nothing where its file has
    /// yet to be opened.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text
            .as_ref()
            .map_or("", |secret| secret.expose_secret())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.expose() == other.expose()
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
        let path = PathBuf::decode(node, reader)?;
        if reader.later {
            return Some(Self::in_file(path));
        }
        match read_soon(&path, LONGEST_FILE) {
            Ok(text) => {
                let text = one_line(text);
                reader.hide(&text);
                Some(Self {
                    file: Some(path),
                    ..Self::new(text)
                })
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

    fn word(&self) -> Option<String> {
        (!self.is_empty()).then(|| "<secret>".into())
    }
}

/// A secret whose file is opened by who wants it, each time, and not with the configuration:
/// a file that is missing, or whose disk hangs, costs that use and no other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LateSecret(Secret);

impl From<Secret> for LateSecret {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl std::ops::Deref for LateSecret {
    type Target = Secret;

    fn deref(&self) -> &Secret {
        &self.0
    }
}

impl Value for LateSecret {
    const COMPANION: Option<&'static str> = Secret::COMPANION;

    fn kind() -> String {
        Secret::kind()
    }

    fn decode(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        Secret::decode(node, reader).map(Self)
    }

    fn decode_companion(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let path = PathBuf::decode(node, reader)?;
        Some(Self(Secret::in_file(path)))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn word(&self) -> Option<String> {
        self.0.word()
    }
}

/// Without the line ends behind it.
fn one_line(mut text: String) -> String {
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    text
}
