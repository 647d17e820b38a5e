//! Asking the Belfry that runs.

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
        address: std::net::SocketAddr,
        source: reqwest::Error,
    },
}

/// Gets a JSON answer from the Belfry of a data folder.
pub(super) async fn get(data: &Path, path: &str) -> Result<Value, Error> {
    // Of a Belfry that was killed the address stays behind.
    let address = Some(data)
        .filter(|data| state::in_use(data))
        .and_then(state::read_address)
        .ok_or_else(|| Error::NoAddress(data.display().to_string()))?;
    let silent = |source| Error::Silent { address, source };
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        // A proxy of the environment has no business between us.
        .no_proxy()
        .build()
        .map_err(silent)?;
    let answer = client
        .get(format!("http://{address}{path}"))
        .send()
        .await
        .map_err(silent)?;
    answer
        .error_for_status()
        .map_err(silent)?
        .json()
        .await
        .map_err(silent)
}
