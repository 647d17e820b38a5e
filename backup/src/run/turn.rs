//! An upgrade or a migration came between a backup and the one before: whoever has to go
//! back needs that one, and it is pinned wherever it lies.

use std::time::Duration;

use tokio::time::timeout;

use super::Say;
use super::sink::Sink;
use crate::Job;
use crate::catalogue::Copy;
use crate::id::Id;
use crate::manifest::{Manifest, Postgres};
use crate::marks::{Kind, Mark};
use crate::target::Target;

/// A mark has no time for more: a hundred years.
const MOST_MS: i64 = 36_500 * 86_400_000;
/// How long a target may take for a pin.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pins what each target has as the last good one before a change; what is new may be a
/// doubted one, and is compared with that one again the next time. What could not be pinned.
pub(super) async fn keep(job: &Job, sinks: &[Sink], new: &Manifest, say: Say<'_>) -> Vec<String> {
    let mut failed = Vec::new();
    let keep_ms = i64::try_from(job.keep.before_change.as_millis()).unwrap_or(i64::MAX);
    let keep_ms = keep_ms.min(MOST_MS);
    if keep_ms == 0 {
        return failed;
    }
    let until_ms = new.started_ms.saturating_add(keep_ms);
    for sink in sinks {
        let Some((copy, why)) = sink.newest.as_ref().and_then(|copy| {
            let why = between(&copy.manifest, new)?;
            Some((copy, why))
        }) else {
            continue;
        };
        // By somebody, or by a run whose backup is doubted.
        if copy.last(Kind::Pinned) >= Some(until_ms - keep_ms / 2) {
            continue;
        }
        let (id, target) = (&copy.manifest.id, sink.target.name());
        let pinned = timeout(PATIENCE, pin(&sink.target, copy, until_ms, &why)).await;
        match pinned.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
            Ok(()) => {
                let days = keep_ms / 86_400_000;
                tracing::info!(
                    job = job.name,
                    target,
                    backup = id,
                    "pinned for {days} days: {why}"
                );
                say(format!("pin     {id} in {target}, for {days} days: {why}"));
            }
            Err(err) => {
                let told = format!("{id} is not pinned in {target}, {why}: {err}");
                tracing::warn!(job = job.name, "{told}");
                failed.push(told);
            }
        }
    }
    failed
}

async fn pin(target: &Target, copy: &Copy, until_ms: i64, why: &str) -> Result<(), String> {
    let id = Id::parse(&copy.manifest.id).ok_or("it has no id")?;
    let pinned = Mark::pin(until_ms, why, target, &copy.manifest.shelf(), &id).await;
    pinned.map_err(|err| err.to_string())
}

/// What was upgraded or migrated between two backups, if anything was.
fn between(last: &Manifest, new: &Manifest) -> Option<String> {
    let (last, new) = (last.postgres.as_ref()?, new.postgres.as_ref()?);
    let changes = [upgrades(last, new), migrations(last, new)].concat();
    (!changes.is_empty()).then(|| format!("the last one before {}", changes.join(" and ")))
}

fn upgrades(last: &Postgres, new: &Postgres) -> Vec<String> {
    let mut found = Vec::new();
    let major = |facts: &Postgres| facts.server_version / 10_000;
    if major(last) != major(new) {
        let (last, new) = (major(last), major(new));
        found.push(format!("the upgrade of PostgreSQL from {last} to {new}"));
    }
    for new in &new.extensions {
        let mut before = last.extensions.iter();
        if let Some(last) = before.find(|last| last.name == new.name && last.version != new.version)
        {
            let (name, last, new) = (&new.name, &last.version, &new.version);
            found.push(format!("the upgrade of {name} from {last} to {new}"));
        }
    }
    found
}

/// The first migration by a tool is none that it notes itself: its table was not there.
fn migrations(last: &Postgres, new: &Postgres) -> Vec<String> {
    let of = |new: &crate::manifest::Revision| {
        let mut before = last.revisions.iter();
        let last = before.find(|last| last.table == new.table)?;
        let moved = last.revision != new.revision;
        let (table, last, new) = (&new.table, &last.revision, &new.revision);
        moved.then(|| format!("the migration of {table} from {last} to {new}"))
    };
    new.revisions.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Extension, Revision};

    fn facts(version: u32, extension: &str, revision: &str) -> Postgres {
        Postgres {
            server_version: version,
            extensions: vec![Extension {
                name: "postgis".into(),
                version: extension.into(),
            }],
            revisions: vec![Revision {
                tool: "alembic".into(),
                table: "public.alembic_version".into(),
                revision: revision.into(),
            }],
            ..Postgres::default()
        }
    }

    #[test]
    fn a_new_major_version_another_extension_and_another_revision_are_named_and_no_minor_one() {
        let last = facts(150_018, "3.3", "a");
        let told = |new: Postgres| [upgrades(&last, &new), migrations(&last, &new)].concat();
        assert_eq!(told(facts(150_019, "3.3", "a")), Vec::<String>::new());
        assert_eq!(
            told(facts(160_002, "3.4", "b")),
            [
                "the upgrade of PostgreSQL from 15 to 16",
                "the upgrade of postgis from 3.3 to 3.4",
                "the migration of public.alembic_version from a to b"
            ]
        );
        // What is new, and what is gone, was not upgraded.
        let bare = Postgres {
            server_version: 150_018,
            ..Postgres::default()
        };
        assert_eq!(told(bare.clone()), Vec::<String>::new());
        assert_eq!(
            [upgrades(&bare, &last), migrations(&bare, &last)].concat(),
            Vec::<String>::new()
        );
    }
}
