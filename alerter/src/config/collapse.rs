//! When one mail tells of much that is down at once.

use std::time::Duration;

use super::Config;
use super::compile::millis;
use crate::plan;

settings::section! {
    /// When one mail tells of much that is down at once on one host, the host's own
    /// trouble first.
    pub struct Collapse {
        /// So many groups of one host are told together; 0 for never.
        pub from: usize = 5,
        /// What would be told within this time is told with it.
        pub within: Duration = Duration::from_secs(60),
        /// The label that says which host; a port behind it does not count.
        pub by: String = "instance".into(),
    }
}

/// What the section says, or what holds without it.
pub(super) fn compile(config: &Config) -> Option<plan::Collapse> {
    let section = match (&config.collapse, config.route.is_some()) {
        (Some(section), _) => section.clone(),
        (None, false) => Collapse::default(),
        // Who routes by a file of their own gets what the file says.
        (None, true) => return None,
    };
    (section.from > 0).then(|| plan::Collapse {
        from: section.from.max(2),
        within_ms: millis(section.within),
        by: section.by,
    })
}
