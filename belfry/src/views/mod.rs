//! What the parts know, in the shapes of Prometheus' query API. Nothing here
//! decides or waits for anything.

mod families;
mod rules;
pub(crate) mod targets;

pub(crate) use families::families;
pub(crate) use rules::groups;
