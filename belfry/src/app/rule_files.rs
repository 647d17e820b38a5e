//! Which rules are evaluated: the shipped pack and the files of the configuration.

use std::path::Path;
use std::time::Duration;

use rules::{RuleSet, Site};
use settings::Fault;

use crate::config::Config;

/// Loads all rules, or tells every fault in them. Relative names of files are
/// taken from the folder of the configuration file.
pub(crate) fn load(config: &Config, file: Option<&Path>) -> Result<RuleSet, Vec<Fault>> {
    let site = Site {
        interval_ms: millis(config.rules.interval.unwrap_or(config.interval)),
        resend_ms: millis(config.rules.resend),
        external_labels: config.rules.external_labels.clone(),
        external_url: config.external_url.trim_end_matches('/').to_owned(),
        ..Site::default()
    };
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let mut named = config.rules.clone();
    for pattern in &mut named.files {
        *pattern = folder.join(&*pattern).display().to_string();
    }
    let mut rules = RuleSet::load(&named.sources()?, site)?;
    let unknown = rules.disable(&config.rules.disable);
    if unknown.is_empty() {
        return Ok(rules);
    }
    let file = file.unwrap_or(Path::new("belfry.yml"));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let message = format!("no rule is named {}", unknown.join(", "));
    Err(vec![settings::place(file, &text, "rules.disable", message)])
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The faults as one text.
pub(super) fn told(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
