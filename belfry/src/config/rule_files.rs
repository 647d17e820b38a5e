//! Which rules are evaluated: the shipped pack and the files of the configuration.

use std::collections::BTreeMap;
use std::path::Path;
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
}

/// Loads all rules. Relative names of files are taken from the folder of the
/// configuration file. Files that a `prometheus.yml` has `joined` keep its pace.
pub(super) fn load(config: &Config, joined: Option<&Joined>, file: Option<&Path>) -> Rules {
    let disable = &config.rules.disable;
    let unknown = |has: &dyn Fn(&String) -> bool| {
        let all = disable.iter().cloned().enumerate();
        all.filter(|(_, name)| !has(name)).collect()
    };
    let (sources, mut faults) = sources(config, file);
    let unread = !faults.is_empty();
    match RuleSet::load(&sources, site(config, joined)) {
        Ok(mut rules) if !unread => {
            let missing = rules.disable(disable);
            Rules {
                set: Ok(rules),
                unknown: unknown(&|name| !missing.contains(name)),
            }
        }
        loaded => {
            faults.extend(loaded.err().unwrap_or_default());
            // A name may be one of a rule that is at fault, or in a file that
            // cannot be read.
            let named = |name: &String| unread || sources.iter().any(|one| one.text.contains(name));
            Rules {
                set: Err(faults),
                unknown: unknown(&named),
            }
        }
    }
}

fn site(config: &Config, joined: Option<&Joined>) -> Site {
    let mut intervals_ms = BTreeMap::new();
    // What we say ourselves wins.
    let joined = joined.filter(|_| config.rules.interval.is_none());
    for pattern in joined.iter().flat_map(|joined| &joined.rule_files) {
        // One that cannot be read is told elsewhere.
        for path in rules::matching_files(pattern).unwrap_or_default() {
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

/// The files that can be read, and why the others cannot: one that is missing
/// must not hide what is wrong in the next.
fn sources(config: &Config, file: Option<&Path>) -> (Vec<Source>, Vec<Fault>) {
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let patterns = config.rules.files.iter();
    let found = RuleFiles::read(patterns.map(|pattern| folder.join(pattern)));
    let mut sources = match config.rules.pack {
        true => rules::pack::sources(),
        false => Vec::new(),
    };
    let faults = found.faults();
    sources.extend(found.sources);
    (sources, faults)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
