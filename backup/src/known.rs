//! What is known of a job, for the metrics page: looked up in its targets, and kept
//! while a target does not answer.

use std::time::Duration;

use tokio::time::timeout;

use crate::catalogue::{self, Copy};
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
    /// When its first run was that is known, in milliseconds since 1970.
    pub first_run_ms: Option<i64>,
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
    /// When the oldest good one was begun, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// When a copy was last verified, in milliseconds since 1970. One that was too old by
    /// then counts as of when it was young enough.
    pub verified_ms: Option<i64>,
    /// When a copy was last drilled with, likewise.
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
            // An earlier copy that was tried says nothing of what came when it was too old.
            let fresh_ms = i64::try_from(job.max_age.as_millis()).unwrap_or(i64::MAX);
            let tried = |copy: &Copy, kind| {
                let until_ms = copy.as_of_ms().saturating_add(fresh_ms);
                copy.last(kind).map(|at_ms| at_ms.min(until_ms))
            };
            let last = |kind| good().filter_map(|copy| tried(copy, kind)).max();
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
                oldest_ms: good().map(|copy| copy.manifest.started_ms).min(),
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

    /// Since when there is something to try, in milliseconds since 1970: the first run that
    /// is known, or the oldest copy where that is older.
    #[must_use]
    pub fn since_ms(&self) -> Option<i64> {
        let oldest = self.had().filter_map(|had| had.oldest_ms);
        oldest.chain(self.first_run_ms).min()
    }

    /// What each target had.
    pub fn had(&self) -> impl Iterator<Item = &Had> {
        self.targets.iter().filter_map(|target| target.had.as_ref())
    }
}
