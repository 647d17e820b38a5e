//! All collectors that are a question and its columns, and no more.
//!
//! Where servers of different versions name a thing differently, its family is
//! served under the old and the new name.

pub(super) mod activity;
pub(super) mod databases;
pub(super) mod replication;
pub(super) mod storage;
pub(super) mod tables;
pub(super) mod writing;

use super::collector::Collector;

/// Those that are asked on the server's own connection.
pub(super) fn all() -> impl Iterator<Item = &'static Collector> {
    [
        activity::COLLECTORS,
        databases::COLLECTORS,
        replication::COLLECTORS,
        writing::COLLECTORS,
        storage::COLLECTORS,
    ]
    .into_iter()
    .flatten()
}
