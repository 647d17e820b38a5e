//! How many files this process may have open: connections are files too.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More is of no use, and a limit without end makes some libraries walk it.
const ENOUGH: u64 = 65_536;

/// Raises the soft limit as far as the hard one lets us.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        if let Err(err) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!("cannot raise the limit of open files: {err}");
        }
    }
}

/// How many may be open now.
pub(crate) fn limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}
