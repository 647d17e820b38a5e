//! A bucket that speaks S3: R2, or any other.
//!
//! Every request carries the hash of its body in its signature. Parts are equal,
//! as R2 wants them, and each is tried again by itself. What came of a request
//! whose answer was lost is decided by asking for the file.

mod again;
mod download;
mod part;
mod parts;
mod trouble;
mod uploads;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RetryConfig,
};
use settings::Secret;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Entry, Error, Flow, Ledger, limit};
use again::Again;
use trouble::why;

pub use again::retries;

/// A listing that is longer is no listing of ours.
const MOST_ENTRIES: usize = 1_000_000;

/// How a bucket is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its name in the configuration.
    pub name: String,
    /// The bucket's own name.
    pub bucket: String,
    /// Where it is, such as `https://account.r2.cloudflarestorage.com`.
    pub endpoint: String,
    /// Its region; `auto` for R2.
    pub region: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// The id of the key.
    pub key_id: String,
    /// The key.
    pub secret: Secret,
    /// The slowest way up that is waited for, in bytes a second.
    pub slowest: u64,
    /// The most that is sent in a second, in bytes; 0 for no limit.
    pub limit: u64,
    /// How long anything may take that moves no data.
    pub patience: Duration,
    /// An upload that is older, and that is not noted here, is of nobody any more.
    pub abandoned: Duration,
}

/// A bucket.
pub struct Bucket {
    access: Access,
    store: AmazonS3,
    ledger: Ledger,
    again: Again,
}

impl Bucket {
    /// Makes a client; nothing is asked yet.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn new(access: Access, ledger: Ledger) -> Result<Self, Error> {
        // The client wants to know it before it speaks TLS or not. It fails only
        // where one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new()
            .with_allow_http(access.endpoint.starts_with("http://"))
            .with_connect_timeout(Duration::from_secs(15))
            // Of a request as a whole: the size of what it carries decides, see `parts`.
            .with_timeout_disabled()
            .with_read_timeout(access.patience);
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(300),
                max_backoff: Duration::from_secs(8),
                base: 2.0,
            },
            max_retries: 4,
            retry_timeout: Duration::from_secs(180),
        };
        let again = Again::of(&access.name);
        let store = AmazonS3Builder::new()
            .with_http_connector(again.clone())
            .with_endpoint(access.endpoint.trim_end_matches('/'))
            .with_bucket_name(&access.bucket)
            .with_region(&access.region)
            .with_access_key_id(&access.key_id)
            .with_secret_access_key(access.secret.expose())
            .with_virtual_hosted_style_request(false)
            .with_disable_bulk_delete(true)
            .with_disable_tagging(true)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .map_err(|err| Error::Refused(trouble::short(&err.to_string())))?;
        Ok(Self {
            access,
            store,
            ledger,
            again,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.access.name
    }

    /// The same stream, no faster than the bucket is to be fed.
    fn fed(&self, flow: mpsc::Receiver<Flow>) -> mpsc::Receiver<Flow> {
        match self.access.limit {
            0 => flow,
            rate => limit::limited(flow, rate),
        }
    }

    fn path(&self, key: &str) -> Path {
        match self.access.prefix.trim_matches('/') {
            "" => Path::from(key),
            prefix => Path::from(format!("{prefix}/{key}")),
        }
    }

    /// The key of one of our files, where the bucket's name of it is one.
    fn key<'a>(&self, name: &'a str) -> Option<&'a str> {
        match self.access.prefix.trim_matches('/') {
            "" => Some(name),
            prefix => name.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }

    /// How long a request may take that carries so many bytes.
    fn patience(&self, bytes: usize) -> Duration {
        self.access.patience + Duration::from_secs(bytes as u64 / self.access.slowest.max(1))
    }

    /// How long a request may take that carries nothing, with its retries.
    fn while_asking(&self) -> Duration {
        self.access.patience * 3
    }

    pub(super) async fn take(
        &self,
        key: &str,
        expected: u64,
        flow: mpsc::Receiver<Flow>,
    ) -> Result<(), Error> {
        parts::take(self, key, expected, flow).await
    }

    pub(super) async fn go_on(
        &self,
        key: &str,
        bytes: u64,
        flow: mpsc::Receiver<Flow>,
    ) -> Result<(), Error> {
        parts::go_on(self, key, bytes, flow).await
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Error> {
        let path = self.path(key);
        let put = |mode| {
            let payload = PutPayload::from_bytes(bytes.clone());
            let options = PutOptions::from(mode);
            // Retries of the client's own are within.
            timeout(
                self.patience(bytes.len()) * 3,
                self.store.put_opts(&path, payload, options),
            )
        };
        let sent = put(PutMode::Create).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            // A store that knows no such condition; keys are never used twice.
            Ok(Err(
                object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. },
            )) => match put(PutMode::Overwrite).await {
                Ok(sent) => sent.map(|_| ()).map_err(|err| why(key, &err)),
                Err(_) => Err(trouble::late("PUT")),
            },
            // The first try may have worked and its answer been lost.
            Ok(Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            )) => {
                if self.holds(key, &bytes).await {
                    Ok(())
                } else {
                    Err(Error::Exists(key.to_owned()))
                }
            }
            Ok(Err(err)) => {
                if self.holds(key, &bytes).await {
                    Ok(())
                } else {
                    Err(why(key, &err))
                }
            }
            Err(_) => {
                if self.holds(key, &bytes).await {
                    Ok(())
                } else {
                    Err(trouble::late("PUT"))
                }
            }
        }
    }

    /// Whether a small file is there with just this content.
    async fn holds(&self, key: &str, wanted: &Bytes) -> bool {
        let read = async {
            let answer = self.store.get(&self.path(key)).await.ok()?;
            answer.bytes().await.ok()
        };
        timeout(self.patience(wanted.len()), read)
            .await
            .ok()
            .flatten()
            .as_ref()
            == Some(wanted)
    }

    pub(super) async fn read(
        &self,
        key: &str,
    ) -> Result<mpsc::Receiver<Result<Bytes, Error>>, Error> {
        download::read(self, key).await
    }

    pub(super) async fn size(&self, key: &str) -> Result<u64, Error> {
        let path = self.path(key);
        let about = timeout(self.while_asking(), self.store.head(&path)).await;
        let about = about.map_err(|_| trouble::late("HEAD"))?;
        about.map(|about| about.size).map_err(|err| why(key, &err))
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let below = self.path(prefix);
        let below = (!below.as_ref().is_empty()).then_some(&below);
        let mut listing = self.store.list(below);
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let next = timeout(self.while_asking(), listing.next()).await;
            let Some(found) = next.map_err(|_| trouble::late("LIST"))? else {
                break;
            };
            let found = found.map_err(|err| why(prefix, &err))?;
            let key = self.key(found.location.as_ref());
            if let Some(key) = key.filter(|key| key.starts_with(prefix)) {
                entries.push(Entry {
                    key: key.to_owned(),
                    bytes: found.size,
                    modified_ms: found.last_modified.timestamp_millis(),
                });
            }
            if !seen.insert(found.location) || entries.len() > MOST_ENTRIES {
                return Err(Error::Failed("the listing has no end".into()));
            }
        }
        entries.sort();
        Ok(entries)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        let path = self.path(key);
        let deleted = timeout(self.while_asking(), self.store.delete(&path)).await;
        match deleted.map_err(|_| trouble::late("DELETE"))? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(err) => Err(why(key, &err)),
        }
    }

    pub(super) async fn sweep(
        &self,
        prefix: &str,
        wanted: &BTreeMap<String, u64>,
    ) -> Result<u64, Error> {
        let mut swept = 0;
        for upload in self.ledger.open(self.name()) {
            let bytes = wanted.get(&upload.key);
            let goes_on = bytes.is_some_and(|bytes| upload.goes_on(*bytes));
            if upload.key.starts_with(prefix) && !goes_on {
                parts::abort(self, &upload).await?;
                swept += 1;
            }
        }
        // That a bucket does not tell of others costs no backup.
        let noted = self.ledger.all();
        match uploads::sweep(self, prefix, &noted).await {
            Ok(others) => Ok(swept + others),
            Err(err) => {
                let target = self.name();
                tracing::debug!(
                    target,
                    "uploads of others that are gone are not swept: {err}"
                );
                Ok(swept)
            }
        }
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Bucket").field(&self.access).finish()
    }
}

/// Shares a bucket.
impl From<Bucket> for super::Target {
    fn from(bucket: Bucket) -> Self {
        Self::Bucket(Arc::new(bucket))
    }
}

impl From<super::Folder> for super::Target {
    fn from(folder: super::Folder) -> Self {
        Self::Folder(Arc::new(folder))
    }
}
