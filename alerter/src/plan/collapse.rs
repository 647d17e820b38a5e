//! When much of one host is one message.

/// When much of one host that is down at once is told in one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collapse {
    /// So many groups are much.
    pub from: usize,
    /// What is due within so many milliseconds counts too.
    pub within_ms: i64,
    /// The label that says which host.
    pub by: String,
}
