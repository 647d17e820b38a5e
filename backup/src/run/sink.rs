//! The targets of a run, and which of them are still in it.

use crate::catalogue::Copy;
use crate::target::Target;

/// A target, and why it is out of this run.
pub(super) struct Sink {
    pub(super) target: Target,
    pub(super) failed: Option<String>,
    /// The newest good copy that it has.
    pub(super) newest: Option<Copy>,
}

/// Those that have not failed.
pub(super) fn alive(sinks: &mut [Sink]) -> impl Iterator<Item = &mut Sink> {
    sinks.iter_mut().filter(|sink| sink.failed.is_none())
}

/// Why the run is at its end, if no target is left.
pub(super) fn nobody(sinks: &[Sink]) -> Option<String> {
    let reasons: Vec<_> = sinks
        .iter()
        .filter_map(|sink| Some(format!("{}: {}", sink.target.name(), sink.failed.as_ref()?)))
        .collect();
    (reasons.len() == sinks.len()).then(|| reasons.join("; "))
}
