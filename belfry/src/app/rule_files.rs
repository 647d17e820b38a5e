//! Which rules are evaluated: the shipped pack and the files of the configuration.

use std::path::{Path, PathBuf};

use rules::{RuleSet, Site, Source};
use settings::{Fault, Place};

use crate::config::Config;

/// Loads all rules, or tells every fault in them. Relative names of files are
/// taken from the folder of the configuration file.
pub(crate) fn load(config: &Config, config_file: Option<&Path>) -> Result<RuleSet, Vec<Fault>> {
    let site = Site {
        interval_ms: millis(config.rules.interval.unwrap_or(config.interval)),
        resend_ms: millis(config.rules.resend),
        external_labels: config.rules.external_labels.clone(),
        external_url: config.external_url.trim_end_matches('/').to_owned(),
        ..Site::default()
    };
    let mut sources = if config.rules.pack {
        rules::pack::sources()
    } else {
        Vec::new()
    };
    let folder = config_file.and_then(Path::parent).unwrap_or(Path::new(""));
    for (at, pattern) in config.rules.files.iter().enumerate() {
        let key = format!("rules.files[{at}]");
        let files = matching(&folder.join(pattern))
            .map_err(|message| vec![fault(config_file, &key, message)])?;
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|err| {
                vec![fault(
                    config_file,
                    &key,
                    format!("cannot read {}: {err}", file.display()),
                )]
            })?;
            sources.push(Source {
                name: file.display().to_string(),
                text,
            });
        }
    }
    let mut rules = RuleSet::load(&sources, site)?;
    let unknown = rules.disable(&config.rules.disable);
    if !unknown.is_empty() {
        let message = format!("no rule is named {}", unknown.join(", "));
        return Err(vec![fault(config_file, "rules.disable", message)]);
    }
    Ok(rules)
}

/// The files of a pattern, in order. A plain name must exist; a pattern may
/// match nothing, as in Prometheus.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let text = pattern.display().to_string();
    if !text.contains(['*', '?', '[']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let found = glob::glob(&text).map_err(|err| format!("{text:?} is not a pattern: {err}"))?;
    found
        .map(|file| file.map_err(|err| err.to_string()))
        .collect()
}

fn fault(file: Option<&Path>, key: &str, message: String) -> Fault {
    let file = file.unwrap_or(Path::new("belfry.yml"));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut fault = settings::place(file, &text, key, message);
    if text.is_empty() {
        fault.place = Place::Environment("BELFRY_RULES_FILES".into());
    }
    fault
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The faults as one error.
pub(super) fn told(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
