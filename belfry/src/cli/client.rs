//! Asking the Belfry that runs: the one of the data folder, or one at a URL.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Place, offline};
use crate::{app, state};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Certificates of a file are no longer than this, in bytes.
const LONGEST: u64 = 1 << 20;

/// Where the Belfry is that is asked.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct There {
    /// Where Belfry is reached; may have a path, a name and a password [default: the
    /// one of the data folder]
    #[arg(long, value_name = "URL", env = "BELFRY_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Certificates (PEM) to trust instead of the system's
    #[arg(long, value_name = "FILE", env = "BELFRY_CA_FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Why the running Belfry gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It wrote down no address.
    #[error("no belfry runs on the data folder {0}")]
    NoAddress(String),
    /// It does not answer, or not as it should.
    #[error("the belfry at {address} does not answer")]
    Silent {
        address: SocketAddr,
        source: reqwest::Error,
    },
    /// The same of one at a URL, which may hold a password.
    #[error("the belfry at the URL does not answer")]
    Away { source: reqwest::Error },
    /// Whoever is at the URL does not answer, or not as Prometheus does.
    #[error("there is no answer of Prometheus' API at the URL")]
    Elsewhere { source: reqwest::Error },
    /// The certificates cannot be read.
    #[error("cannot read the certificates: {0}")]
    Certificates(String),
}

/// A Belfry that can be asked.
pub(super) struct Server {
    client: reqwest::Client,
    base: String,
    /// Nothing for one at a URL.
    address: Option<SocketAddr>,
}

impl Server {
    /// The one at a URL. A name and a password in it are told as HTTP wants it.
    pub(super) fn at(url: &str, ca_file: Option<&Path>) -> Result<Self, Error> {
        let client = match ca_file {
            None => anywhere(PATIENCE),
            Some(file) => trusting(&certificates(file)?),
        };
        Ok(Self {
            client: client.map_err(|source| Error::Away { source })?,
            base: url.trim_end_matches('/').to_owned(),
            address: None,
        })
    }

    /// The one of a data folder.
    pub(super) fn of(data: &Path) -> Result<Self, Error> {
        // Of a Belfry that was killed the address stays behind.
        let found = Some(data)
            .filter(|data| state::in_use(data))
            .and_then(state::read_place);
        match found {
            Some((address, path)) => {
                let mut server = Self::here(address)?;
                server.base.push_str(path.trim_end_matches('/'));
                Ok(server)
            }
            None => Err(Error::NoAddress(data.display().to_string())),
        }
    }

    /// The one that serves at an address of this host.
    pub(super) fn here(address: SocketAddr) -> Result<Self, Error> {
        let client = here(PATIENCE).map_err(|source| Error::Silent { address, source })?;
        Ok(Self {
            client,
            base: format!("http://{address}"),
            address: Some(address),
        })
    }

    /// Gets a JSON answer.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        let request = self.client.get(format!("{}{path}", self.base)).send();
        let answer = request.await.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|err| self.silent(err))?;
        answer.json().await.map_err(|err| self.silent(err))
    }

    /// The same of what may not be there.
    pub(super) async fn get_any(&self, path: &str) -> Result<Option<Value>, Error> {
        match self.get(path).await {
            Err(Error::Silent { source, .. } | Error::Away { source })
                if source.status() == Some(reqwest::StatusCode::NOT_FOUND) =>
            {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Posts JSON; the answer may be a refusal, in its `error`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        let (_, answer) = self.post_for(path, body).await?;
        Ok(answer)
    }

    /// The same with the status, for who must know whether it was Belfry that answered.
    pub(super) async fn post_for(&self, path: &str, body: &Value) -> Result<(u16, Value), Error> {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let answer = request.send().await.map_err(|err| self.silent(err))?;
        // Of what is no answer of ours, the status says more than the text.
        let refused = answer.error_for_status_ref().map(drop);
        let status = answer.status().as_u16();
        let read = answer.json().await;
        let read = read.map_err(|err| self.silent(refused.err().unwrap_or(err)))?;
        Ok((status, read))
    }

    fn silent(&self, source: reqwest::Error) -> Error {
        match self.address {
            Some(address) => Error::Silent { address, source },
            None => Error::Away {
                source: source.without_url(),
            },
        }
    }
}

/// The Belfry that a command asks.
pub(super) fn find(place: &Place, there: &There) -> Result<Server, crate::exit::Exit> {
    let found = match &there.url {
        Some(url) => Server::at(url, there.ca_file.as_deref()),
        None => Server::of(&app::data_folder(&offline::glance(place)?)),
    };
    found.map_err(|err| {
        crate::out::error(format_args!("belfry: {:#}", anyhow::Error::from(err)));
        crate::exit::USAGE
    })
}

/// Gets a JSON answer from the Belfry of a data folder.
pub(super) async fn get(data: &Path, path: &str) -> Result<Value, Error> {
    Server::of(data)?.get(path).await
}

/// Gets a JSON answer that may be a refusal, in Prometheus' form.
pub(super) async fn ask(data: &Path, path: &str, patience: Duration) -> Result<Value, Error> {
    let there = Server::of(data)?;
    let request = there.client.get(format!("{}{path}", there.base));
    let answer = request.timeout(patience).send().await;
    let answer = answer.map_err(|err| there.silent(err))?;
    answer.json().await.map_err(|err| there.silent(err))
}

/// The same of whoever is at a URL.
pub(super) async fn ask_at(url: &str, path: &str, patience: Duration) -> Result<Value, Error> {
    let url = url.trim_end_matches('/');
    let silent = |source: reqwest::Error| Error::Elsewhere {
        // A URL may hold a password.
        source: source.without_url(),
    };
    let client = anywhere(patience).map_err(silent)?;
    let request = client.get(format!("{url}{path}"));
    let answer = request.timeout(patience).send().await.map_err(silent)?;
    answer.json().await.map_err(silent)
}

/// A word as it stands in a query.
pub(super) fn escaped(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    word.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// A client for a Belfry of this host, which needs nobody's certificates.
pub(super) fn here(patience: Duration) -> reqwest::Result<reqwest::Client> {
    bare(patience).tls_certs_only([]).build()
}

/// A client for whoever is at a URL. In an image there may be no authority at all,
/// and then nobody's certificate is trusted, which matters only to who needs one.
pub(super) fn anywhere(patience: Duration) -> reqwest::Result<reqwest::Client> {
    bare(patience).build().or_else(|_| here(patience))
}

fn trusting(certificates: &[reqwest::Certificate]) -> reqwest::Result<reqwest::Client> {
    bare(PATIENCE)
        .tls_certs_only(certificates.iter().cloned())
        .build()
}

fn certificates(file: &Path) -> Result<Vec<reqwest::Certificate>, Error> {
    let text = settings::read_file(file, LONGEST)
        .map_err(|err| Error::Certificates(format!("{}: {err}", file.display())))?;
    let found = reqwest::Certificate::from_pem_bundle(text.as_bytes());
    let found = found.map_err(|err| Error::Certificates(err.to_string()))?;
    match found.is_empty() {
        true => Err(Error::Certificates(format!(
            "{} holds none",
            file.display()
        ))),
        false => Ok(found),
    }
}

fn bare(patience: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .timeout(patience)
        // A proxy of the environment has no business between us.
        .no_proxy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_a_query_as_they_are_meant() {
        assert_eq!(escaped("ApiDown-1"), "ApiDown-1");
        assert_eq!(escaped("a b&c=ä"), "a%20b%26c%3D%C3%A4");
    }
}
