//! The series store: recent samples, compressed, indexed, and kept over a restart.
//!
//! Samples of the last hour or two live in memory, those of a day in an archive on
//! the disk, about a byte each, and both are read as one. A label set has one series; of a series, samples come in the order of their times, as
//! Prometheus takes them: older ones and second values for one time are refused.
//! The store starts no thread and reads no clock: whoever owns it calls
//! [`Store::maintain`] with the time. Memory has a cap that is kept by giving up
//! old samples first and the widest families of metrics after that. What leaves
//! memory is charted from roll-ups on the disk, for a month.

mod appender;
mod archive;
mod codec;
mod disk;
mod figures;
mod index;
mod listing;
mod maintain;
mod matcher;
mod order;
mod rollup;
mod samples;
mod select;
mod settings;
mod store;

pub use appender::{Appender, Batch, Finder, Finished, Slot};
pub use archive::{PutAway, PutAwayError};
pub use disk::{Fault, FaultKind, FlushError, Flushed, Fsync, Recovery, check};
pub use figures::Figures;
pub use maintain::{Maintained, Shed};
pub use matcher::{BadRegex, Matcher, Op};
pub use rollup::{ROLLUP_MS, RollUpError, RolledUp, Summary};
pub use select::{Newest, Selected, TooMany};
pub use settings::Settings;
pub use store::{Rejected, Store};
