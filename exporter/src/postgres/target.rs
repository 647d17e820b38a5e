//! What all questions to one server have in common.

use std::sync::Arc;
use std::time::Duration;

use super::Config;
use super::access::Access;
use super::link::Patience;
use super::tls::Connector;

/// A server that is read. Cloning is for tasks.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) access: Access,
    pub(super) tls: Option<Connector>,
    /// Databases whose tables are not read.
    pub(super) exclude: Vec<String>,
    pub(super) config: Config,
    pub(super) instance: Arc<str>,
    /// What tells it from others.
    pub(super) name: String,
}

impl Target {
    /// The database of the server's own connection.
    pub(super) fn home(&self) -> &str {
        self.access.config.get_dbname().unwrap_or_default()
    }

    pub(super) fn patience(&self) -> Patience {
        Patience {
            // What was asked in time is answered in time, if it is answered.
            statement: self.config.deadline / 4,
            lock: (self.config.deadline / 10).min(Duration::from_secs(1)),
        }
    }
}
