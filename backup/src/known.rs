//! What is known of a job, for the metrics page: looked up in its targets, and kept
//! while a target does not answer.

use std::time::Duration;

use tokio::time::timeout;

use crate::catalogue;
use crate::marks::Kind;
use crate::{Job, Setup};

/// What is known of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// The job's name.
    pub job: String,
    /// How old the newest good copy may become.
    pub max_age: Duration,
    /// Each of its targets, in the order of the configuration.
    pub targets: Vec<KnownTarget>,
    /// Whether no drill is to be had: globals cannot be restored beside themselves.
    pub no_drill: bool,
    /// How its tasks went last.
    pub runs: Vec<LastRun>,
}

/// What a target has of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownTarget {
    /// The target's name.
    pub name: String,
    /// Whether it could be listed when it was last tried.
    pub readable: bool,
    /// What it had when it was last listed; nothing before that.
    pub had: Option<Had>,
}

/// What a target had.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Had {
    /// Good copies.
    pub copies: u64,
    /// Copies that could not be opened or restored when that was tried.
    pub unsound: u64,
    /// Bytes of all copies.
    pub bytes: u64,
    /// The newest good one: the time that it is of, in milliseconds since 1970, and its
    /// bytes.
    pub newest: Option<(i64, u64)>,
    /// When a copy was last verified, in milliseconds since 1970.
    pub verified_ms: Option<i64>,
    /// When a copy was last drilled with, in milliseconds since 1970.
    pub drilled_ms: Option<i64>,
}

/// How a task went last, and when it is due.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LastRun {
    /// `backup`, `verify` or `drill`.
    pub task: String,
    /// When it is due next, in milliseconds since 1970.
    pub next_ms: Option<i64>,
    /// Whether the last run was good, and how many seconds it took.
    pub last: Option<(bool, f64)>,
    /// Whether it has made a backup, and something about it is wrong all the same.
    pub partly: bool,
}

/// A target that takes longer to list is not readable.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks a job up; of a target that does not answer, what `before` knew stays.
pub async fn look_up(setup: &Setup, job: &Job, before: Option<&Known>) -> Known {
    let mut known = Known {
        job: job.name.clone(),
        max_age: job.max_age,
        no_drill: job.kind() == "globals",
        ..Known::default()
    };
    let prefix = setup.shelf(job).prefix();
    for target in setup.targets(job).unwrap_or_default() {
        let name = target.name().to_owned();
        let kept = setup.kept();
        let listing = timeout(PATIENCE, catalogue::list(&target, &prefix, &kept)).await;
        let had = listing.ok().and_then(Result::ok).map(|listing| {
            let good = || listing.copies.iter().filter(|copy| copy.is_good());
            let last = |kind| good().filter_map(|copy| copy.last(kind)).max();
            let newest = good()
                .next_back()
                .map(|copy| (copy.as_of_ms(), copy.manifest.stored_bytes()));
            Had {
                copies: good().count() as u64,
                unsound: listing
                    .copies
                    .iter()
                    .filter(|copy| copy.is_unsound())
                    .count() as u64,
                bytes: listing
                    .copies
                    .iter()
                    .map(|copy| copy.manifest.stored_bytes())
                    .sum(),
                newest,
                verified_ms: last(Kind::Verified),
                drilled_ms: last(Kind::Drilled),
            }
        });
        let earlier = || {
            let targets = before.map(|before| before.targets.iter());
            let mut same = targets
                .into_iter()
                .flatten()
                .filter(|known| known.name == name);
            same.next().and_then(|known| known.had.clone())
        };
        known.targets.push(KnownTarget {
            readable: had.is_some(),
            had: had.or_else(earlier),
            name,
        });
    }
    known
}

impl Known {
    /// The newest good copy of all targets.
    #[must_use]
    pub fn newest(&self) -> Option<(i64, u64)> {
        self.had().filter_map(|had| had.newest).max()
    }

    /// What each target had.
    pub fn had(&self) -> impl Iterator<Item = &Had> {
        self.targets.iter().filter_map(|target| target.had.as_ref())
    }
}
