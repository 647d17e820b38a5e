//! What the owner of a store decides.

use std::time::Duration;

use crate::Fsync;

/// Limits of a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How long samples are kept.
    pub retention: Duration,
    /// When memory is short, history is given up down to this; only then are
    /// whole families shed.
    pub least_history: Duration,
    /// Bytes of chunks and index together, as the store counts them.
    pub max_bytes: u64,
    /// How long a family that was shed may not come back.
    pub shed_for: Duration,
    /// When the folder's files are forced onto the disk.
    pub fsync: Fsync,
    /// Length of a log segment; a longer one where the names of many series fill it.
    pub segment_bytes: u64,
    /// Length of the log at which it is folded into a snapshot; where there is one, the
    /// log may be longer by the length of that, unless it has too many segments.
    pub log_bytes: u64,
    /// Full chunks that ended within it stay in memory, for rules that look back so
    /// far and for the hour that is rolled up next; older ones go to the archive.
    pub recent: Duration,
    /// Bytes of the archive, in which samples are that are no longer recent; the
    /// oldest are given up beyond it. Where it is zero all stay in memory.
    pub archive_bytes: u64,
    /// How long roll-ups of five minutes are kept; none are made where it is zero.
    pub rollup_keep: Duration,
    /// Bytes of all roll-ups together; the oldest days are given up beyond it.
    pub rollup_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(24 * 3600),
            least_history: Duration::from_secs(3600),
            max_bytes: 128 << 20,
            shed_for: Duration::from_secs(600),
            fsync: Fsync::default(),
            segment_bytes: 2 << 20,
            log_bytes: 8 << 20,
            recent: Duration::from_secs(65 * 60),
            archive_bytes: 512 << 20,
            rollup_keep: Duration::from_secs(30 * 24 * 3600),
            rollup_bytes: 512 << 20,
        }
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX)
}
