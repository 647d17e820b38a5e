//! Asking the Belfry that runs.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::state;

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
    /// Whoever is at the URL does not answer, or not as Prometheus does.
    #[error("there is no answer of Prometheus' API at the URL")]
    Elsewhere { source: reqwest::Error },
}

/// Gets a JSON answer from the Belfry of a data folder.
pub(super) async fn get(data: &Path, path: &str) -> Result<Value, Error> {
    let (client, address) = client(data)?;
    let silent = |source| Error::Silent { address, source };
    let answer = client.get(format!("http://{address}{path}")).send().await;
    answer
        .map_err(silent)?
        .error_for_status()
        .map_err(silent)?
        .json()
        .await
        .map_err(silent)
}

/// Gets a JSON answer that may be a refusal, in Prometheus' form.
pub(super) async fn ask(data: &Path, path: &str, patience: Duration) -> Result<Value, Error> {
    let (client, address) = client(data)?;
    let silent = |source| Error::Silent { address, source };
    let request = client.get(format!("http://{address}{path}"));
    let answer = request.timeout(patience).send().await.map_err(silent)?;
    answer.json().await.map_err(silent)
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

/// Posts JSON; the answer may be a refusal, in its `error`.
pub(super) async fn post(data: &Path, path: &str, body: &Value) -> Result<Value, Error> {
    let (client, address) = client(data)?;
    let silent = |source| Error::Silent { address, source };
    let request = client.post(format!("http://{address}{path}")).json(body);
    let answer = request.send().await.map_err(silent)?;
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

/// A client, and where the Belfry of a data folder listens.
fn client(data: &Path) -> Result<(reqwest::Client, SocketAddr), Error> {
    // Of a Belfry that was killed the address stays behind.
    let address = Some(data)
        .filter(|data| state::in_use(data))
        .and_then(state::read_address)
        .ok_or_else(|| Error::NoAddress(data.display().to_string()))?;
    let silent = |source| Error::Silent { address, source };
    let client = here(Duration::from_secs(5)).map_err(silent)?;
    Ok((client, address))
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
