//! How we prove who we are, in the `Authorization` header field.

use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::header::HeaderValue;
use settings::Secret;

use super::{OAuth, header_value, read, read_file};
use crate::health::Failure;

/// A proof.
#[derive(Default)]
pub(crate) enum Proof {
    #[default]
    None,
    Basic {
        username: String,
        /// Says the user name instead.
        username_file: Option<PathBuf>,
        password: Secret,
    },
    /// `Authorization: kind credentials`.
    Header { kind: String, credentials: Secret },
    /// A token that another server gives us.
    OAuth(Box<OAuth>),
}

impl Proof {
    /// The value of the header field; files are read at each message, so that
    /// what is in them can be changed without a word to us.
    pub(super) async fn header(&self, patience: Duration) -> Result<Option<HeaderValue>, Failure> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Basic {
                username,
                username_file,
                password,
            } => {
                let username = match username_file {
                    Some(file) => read_file(file).await?,
                    None => username.clone(),
                };
                basic(&username, &read(password).await?)
            }
            Self::Header { kind, credentials } => format!("{kind} {}", read(credentials).await?),
            Self::OAuth(oauth) => format!("Bearer {}", Box::pin(oauth.token(patience)).await?),
        };
        header_value(&text).map(Some)
    }

    /// The server did not take it: what was kept of it is forgotten.
    pub(super) async fn refused(&self) {
        if let Self::OAuth(oauth) = self {
            oauth.forget().await;
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// `Basic` with a name and a password.
pub(super) fn basic(username: &str, password: &str) -> String {
    let both = format!("{username}:{password}");
    format!("Basic {}", BASE64.encode(both.as_bytes()))
}
