//! The series store: recent samples, compressed, indexed, and kept over a restart.

mod matcher;
mod store;

pub use matcher::{BadRegex, Matcher, Op};
pub use store::{Rejected, Selected, Store};
