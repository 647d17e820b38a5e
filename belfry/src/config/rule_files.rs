//! Which rules are evaluated: the shipped pack and the files of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rules::{RuleFiles, RuleSet, Site, Source};
use settings::Fault;

use super::Config;
use super::prometheus::Joined;

/// What came of loading the rules.
pub(super) struct Rules {
    /// All of them, or every fault in them.
    pub set: Result<RuleSet, Vec<Fault>>,
    /// The names in `rules.disable` that no rule has, with their positions.
    pub unknown: Vec<(usize, String)>,
    /// Files that are left out, because their disk does not answer.
    pub silent: Vec<PathBuf>,
}

/// Loads all rules. Relative names of files are taken from the folder of the
/// configuration file. Files that a `prometheus.yml` has `joined` keep its pace.
pub(super) fn load(config: &Config, joined: Option<&Joined>, file: Option<&Path>) -> Rules {
    let disable = &config.rules.disable;
    let unknown = |has: &dyn Fn(&String) -> bool| {
        let all = disable.iter().cloned().enumerate();
        all.filter(|(_, name)| !has(name)).collect()
    };
    let (sources, silent, mut faults) = sources(config, file);
    let unread = !faults.is_empty();
    match RuleSet::load(&sources, site(config, joined)) {
        Ok(mut rules) if !unread => {
            let missing = rules.disable(disable);
            // A name may be one of a rule in a file that is left out.
            let complete = silent.is_empty();
            if !complete {
                rules.leave_out();
            }
            Rules {
                set: Ok(rules),
                unknown: unknown(&|name| !complete || !missing.contains(name)),
                silent,
            }
        }
        loaded => {
            faults.extend(loaded.err().unwrap_or_default());
            // A name may be one of a rule that is at fault, or in a file that
            // cannot be read.
            let unread = unread || !silent.is_empty();
            let named = |name: &String| unread || sources.iter().any(|one| one.text.contains(name));
            Rules {
                set: Err(faults),
                unknown: unknown(&named),
                silent,
            }
        }
    }
}

fn site(config: &Config, joined: Option<&Joined>) -> Site {
    let mut intervals_ms = BTreeMap::new();
    // What we say ourselves wins.
    let joined = joined.filter(|_| config.rules.interval.is_none());
    let patterns = joined.iter().flat_map(|joined| joined.rule_files.clone());
    let patterns: BTreeSet<_> = patterns.collect();
    // One that cannot be read is told elsewhere.
    for listed in settings::looks(patterns.into_iter().collect(), rules::listed_files) {
        for path in listed.and_then(Result::ok).unwrap_or_default() {
            let every = joined.map_or(Duration::ZERO, |joined| joined.evaluation_interval);
            intervals_ms.insert(path.display().to_string(), millis(every));
        }
    }
    Site {
        intervals_ms,
        interval_ms: millis(config.evaluation_interval()),
        resend_ms: millis(config.rules.resend),
        recovery: config.rules.recovery,
        external_labels: config.rules.external_labels.clone(),
        external_url: config.external_url.trim_end_matches('/').to_owned(),
        ..Site::default()
    }
}

/// The files that can be read, those whose disk does not answer, and why the others cannot
/// be read: one that is missing must not hide what is wrong in the next.
fn sources(config: &Config, file: Option<&Path>) -> (Vec<Source>, Vec<PathBuf>, Vec<Fault>) {
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let patterns = config.rules.files.iter();
    let found = RuleFiles::read(patterns.map(|pattern| folder.join(pattern)));
    let mut sources = match config.rules.pack {
        true => rules::pack::sources(),
        false => Vec::new(),
    };
    let faults = found.faults();
    sources.extend(found.sources);
    (sources, found.silent, faults)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
