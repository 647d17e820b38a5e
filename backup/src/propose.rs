//! A configuration for what was found: a job for every database and every volume
//! that nobody covers, as YAML that a person reads before it is used.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::found::{Found, FoundVolume};
use crate::{Config, Coverage, Volume, coverage, id, of_database};

/// The text of a `belfry.yml` with jobs for all that was found, and that no job of
/// `config` covers yet. Times are apart from each other.
#[must_use]
pub fn propose(config: &Config, found: &Found) -> String {
    let mut text = String::from(HEAD);
    let mut names = BTreeSet::new();
    let mut minute = 0_usize;
    let mut at = || {
        minute += 7;
        format!("'{} {} * * *'", minute % 60, 3 + minute / 60 % 3)
    };
    for database in &found.databases {
        let known = of_database(config, &database.container, &database.name);
        if known != Coverage::Unknown {
            continue;
        }
        let name = unique(&mut names, &[&database.project, &database.name]);
        let server = |volume: &&FoundVolume| volume.servers.contains(&database.container);
        let volumes: Vec<_> = found
            .volumes
            .iter()
            .filter(server)
            .map(|volume| quoted(&volume.volume.name))
            .collect();
        let _ = write!(
            text,
            "    - name: {name}\n      container: {}\n      database: {}\n      user: {}\n",
            quoted(&database.container),
            quoted(&database.name),
            quoted(&database.user)
        );
        if !volumes.is_empty() {
            let _ = writeln!(text, "      volumes: [{}]", volumes.join(", "));
        }
        let _ = write!(
            text,
            "      schedule: {}\n      verify: '@daily'\n      drill: '@weekly'\n{APART}",
            at()
        );
    }
    for volume in &found.volumes {
        // An anonymous one has no coverage at all.
        let known = coverage(config, std::slice::from_ref(&volume.volume));
        let unknown = known.iter().any(|(_, known)| *known == Coverage::Unknown);
        if !volume.servers.is_empty() || !unknown {
            continue;
        }
        let name = unique(&mut names, &[&volume.volume.name]);
        let _ = writeln!(text, "    - name: {name}");
        let Volume {
            name,
            project,
            short,
        } = &volume.volume;
        // One that its compose file names otherwise is known by that name alone.
        if !short.is_empty() && *name == format!("{project}_{short}") {
            let _ = write!(
                text,
                "      volume: {}\n      project: {}\n",
                quoted(short),
                quoted(project)
            );
        } else {
            let _ = writeln!(text, "      volume: {}", quoted(name));
        }
        let _ = write!(
            text,
            "      schedule: {}\n      verify: '@daily'\n      drill: '@weekly'\n",
            at()
        );
    }
    if names.is_empty() {
        text.push_str("    []\n");
    }
    for (container, why) in &found.closed {
        let why = why.replace('\n', " ");
        let _ = writeln!(text, "# The databases of {container} cannot be told: {why}");
    }
    text.push_str(TAIL);
    text
}

/// Nothing of a drill then weighs on the live server. It is for a person to see, since
/// the engine is written to.
const APART: &str = "      \
# Drills restore into a container of their own, which is made and removed.
      drill_container: true
";

const HEAD: &str = "\
# Proposed by `belfry init` from what runs on this host. Read it, then say where
# copies go and who can open them.
backup:
  # age-keygen -o belfry.key prints a recipient. Keep that file off this host too:
  # without it no copy can be opened.
  recipients: []
  targets:
    - {name: local, folder: /var/backups/belfry}
    # - {name: r2, bucket: backups, r2_account: ..., access_key_id: ...,
    #    secret_access_key_file: /etc/belfry/r2-key}
  jobs:
";

const TAIL: &str = "\
  # What needs no backup, and why; `belfry backup coverage` lists what is left.
  # exclude_volumes: {shop_cache: rebuilt at each start}
";

/// A name of letters that keys can have, which no other job has.
fn unique(names: &mut BTreeSet<String>, parts: &[&String]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.as_str())
        .collect();
    let name = id::made_safe(&parts.join("-"));
    let mut all = vec![name.clone()];
    all.extend((2..1000).map(|at| format!("{name}-{at}")));
    let free = all.into_iter().find(|name| !names.contains(name));
    let free = free.unwrap_or(name);
    names.insert(free.clone());
    free
}

/// A text as YAML, whatever letters it has.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let letter = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    let word = ["yes", "no", "on", "off", "true", "false", "null", "y", "n"];
    if letter && text.bytes().all(plain) && !word.contains(&text.to_lowercase().as_str()) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::FoundDatabase;

    #[test]
    fn every_database_and_volume_gets_a_job_and_what_a_server_keeps_is_covered_by_its_own() {
        let volume = |name: &str, short: &str, servers: &[&str]| FoundVolume {
            volume: Volume {
                name: name.into(),
                project: "shop".into(),
                short: short.into(),
            },
            servers: servers.iter().map(|name| (*name).into()).collect(),
        };
        let database = |name: &str| FoundDatabase {
            container: "shop-db-1".into(),
            project: "shop".into(),
            user: "postgres".into(),
            name: name.into(),
        };
        let found = Found {
            volumes: vec![
                volume("shop_pg", "pg", &["shop-db-1"]),
                volume("shop_up", "up", &[]),
                volume(&"ab".repeat(32), "", &[]),
                volume("it's", "", &[]),
                volume("repositories", "git", &[]),
            ],
            databases: vec![database("shop"), database("on")],
            closed: vec![("other".into(), "no way".into())],
            places: Vec::new(),
        };
        let text = propose(&Config::default(), &found);
        for part in [
            "- name: shop-shop\n      container: shop-db-1\n      database: shop\n      user: postgres\n      volumes: [shop_pg]\n",
            "- name: shop-on\n      container: shop-db-1\n      database: 'on'\n",
            "- name: shop_up\n      volume: up\n      project: shop\n",
            "- name: it_s\n      volume: 'it''s'\n",
            "- name: repositories\n      volume: repositories\n      schedule",
            "# The databases of other cannot be told: no way\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(
            !text.contains("abab") && !text.contains("volume: pg"),
            "{text}"
        );
        assert_eq!(text.matches("schedule: ").count(), 5);
        // Of the databases alone.
        assert_eq!(text.matches("      drill_container: true\n").count(), 2);
        let config = Config {
            exclude_volumes: [("shop_up".to_owned(), "a cache".to_owned())].into(),
            exclude_databases: [("shop-db-1/on".to_owned(), "a trial".to_owned())].into(),
            ..Config::default()
        };
        assert_eq!(propose(&config, &found).matches("schedule: ").count(), 3);
        assert!(propose(&config, &Found::default()).contains("    []\n"));
    }
}
