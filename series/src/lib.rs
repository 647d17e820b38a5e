//! The series store: recent samples, compressed, indexed, and kept over a restart.
//!
//! Samples of a day at 15 s live in memory, about a byte each. A label set has
//! one series; of a series, samples come in the order of their times, as
//! Prometheus takes them: older ones and second values for one time are refused.
//! The store starts no thread and reads no clock: whoever owns it calls
//! [`Store::maintain`] with the time. Memory has a cap that is kept by giving up
//! old samples first and the widest families of metrics after that. What leaves
//! memory is charted from roll-ups on the disk, for a month.

mod appender;
mod codec;
mod disk;
mod figures;
mod index;
mod listing;
mod maintain;
mod matcher;
mod rollup;
mod samples;
mod select;
mod settings;
mod store;

pub use appender::{Appender, Batch, Finished};
pub use disk::{Fault, FaultKind, FlushError, Flushed, Fsync, Recovery, check};
pub use figures::Figures;
pub use maintain::{Maintained, Shed};
pub use matcher::{BadRegex, Matcher, Op};
pub use rollup::{ROLLUP_MS, RollUpError, RolledUp, Summary};
pub use select::{Newest, Selected, TooMany};
pub use settings::Settings;
pub use store::{Rejected, Store};
