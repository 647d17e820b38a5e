//! The rules that are shipped in the binary.

use crate::Source;

/// Every file of the pack: its name and its text.
pub const FILES: [(&str, &str); 12] = [
    ("api.yml", include_str!("../pack/api.yml")),
    ("backup.yml", include_str!("../pack/backup.yml")),
    ("belfry.yml", include_str!("../pack/belfry.yml")),
    ("celery.yml", include_str!("../pack/celery.yml")),
    ("container.yml", include_str!("../pack/container.yml")),
    ("heartbeat.yml", include_str!("../pack/heartbeat.yml")),
    ("host.yml", include_str!("../pack/host.yml")),
    ("log.yml", include_str!("../pack/log.yml")),
    ("postgres.yml", include_str!("../pack/postgres.yml")),
    ("probe.yml", include_str!("../pack/probe.yml")),
    ("redis.yml", include_str!("../pack/redis.yml")),
    ("target-down.yml", include_str!("../pack/target-down.yml")),
];

/// Which alerts of the pack keep others quiet: the list that stands under
/// `inhibit_rules` in Alertmanager's grammar.
pub const INHIBIT_RULES: &str = include_str!("../inhibit/pack.yml");

/// The pack as rule files. Their names begin with `pack/`.
#[must_use]
pub fn sources() -> Vec<Source> {
    FILES
        .iter()
        .map(|(name, text)| Source {
            name: format!("pack/{name}"),
            text: (*text).to_owned(),
        })
        .collect()
}

#[cfg(test)]
pub(crate) use tests::test_files;

#[cfg(test)]
mod tests;
