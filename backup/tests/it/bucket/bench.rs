//! The bucket that the tests send to, and what they send.

use std::convert::Infallible;

use backup::flow::{self, Feed, Sealing};
use backup::target::{Error, Target};
use bytes::Bytes;
use tempfile::TempDir;

use crate::store::Store;
use crate::strict::Strict;

/// A bucket behind the layer.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) strict: Strict,
    pub(crate) target: Target,
    pub(crate) scratch: TempDir,
    pub(crate) port: u16,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let store = Store::start().await;
        let (strict, port) = Strict::start(store.port).await;
        let scratch = tempfile::tempdir().unwrap();
        let target = store.target(port, scratch.path());
        Self {
            store,
            strict,
            target,
            scratch,
            port,
        }
    }

    /// Sends so many mebibytes under this key.
    pub(crate) async fn send(&self, key: &str, mib: usize) -> Result<(), Error> {
        send(&self.target, key, mib).await
    }

    pub(crate) async fn is_whole(&self, key: &str, mib: usize) -> bool {
        let mut stored = Vec::new();
        let mut flow = self
            .store
            .target(self.store.port, self.scratch.path())
            .read(key)
            .await
            .unwrap();
        while let Some(bytes) = flow.recv().await {
            stored.extend_from_slice(&bytes.unwrap());
        }
        let mut raw = Vec::new();
        backup::seal::open(&*stored, &[], false, &mut raw).unwrap();
        let wanted: Vec<u8> = (0..mib).flat_map(noise).collect();
        raw == wanted
    }

    pub(crate) fn open_uploads(&self) -> usize {
        std::fs::read_dir(self.scratch.path().join("uploads")).map_or(0, Iterator::count)
    }
}

/// Sends so many mebibytes to a target under this key.
pub(crate) async fn send(target: &Target, key: &str, mib: usize) -> Result<(), Error> {
    let sealing = Sealing {
        level: 1,
        recipients: Vec::new(),
    };
    let source = async |feed: &Feed| {
        for at in 0..mib {
            if feed.give(noise(at)).await.is_err() {
                break;
            }
        }
        Ok::<_, Infallible>(())
    };
    let sent = flow::send(std::slice::from_ref(target), key, 0, &sealing, source);
    sent.await.unwrap().targets.remove(0)
}

/// A mebibyte that does not compress.
pub(crate) fn noise(seed: usize) -> Bytes {
    let mut state = seed as u64 + 1;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).to_le_bytes()[0]
    };
    (0..1 << 20).map(next).collect()
}
