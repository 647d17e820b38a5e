//! `belfry backup pin`: a backup stays, whatever retention says, for a while.

use std::time::Duration;

use backup::catalogue::{Backup, Copy};
use backup::id::Id;
use backup::marks::{Kind, Mark};
use backup::target::Target;
use backup::{Job, Setup};
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::time::timeout;

use super::copies;
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

/// How long a target may take to tell why a copy is pinned.
const PATIENCE: Duration = Duration::from_secs(20);

/// A pin that was set.
pub(super) struct Pinned {
    id: String,
    until_ms: i64,
    places: Vec<String>,
}

pub(super) async fn run(
    setup: &Setup,
    config: &Config,
    job: &str,
    wanted: (&str, u32, &str),
    json: bool,
) -> Exit {
    let Some(job) = setup.config.job(job) else {
        return exit::USAGE;
    };
    match pin(setup, config, job, wanted).await {
        Ok(pinned) if json => {
            let until = jiff::Timestamp::from_millisecond(pinned.until_ms).unwrap_or_default();
            let (id, places) = (&pinned.id, &pinned.places);
            out::line(json!({ "id": id, "targets": places, "until": until.to_string() }));
            exit::OK
        }
        Ok(pinned) => {
            out::line(pinned.told(config));
            exit::OK
        }
        Err(err) => super::unable(&err),
    }
}

/// Pins a backup for so many days wherever it lies, with why.
pub(super) async fn pin(
    setup: &Setup,
    config: &Config,
    job: &Job,
    (from, days, why): (&str, u32, &str),
) -> Result<Pinned, String> {
    let found = copies::find(setup, job).await?;
    let from = copies::from(from, config)?;
    let (_, copy) = found.pick(&from, None, true)?;
    let wanted = copy.manifest.id.clone();
    let id = Id::parse(&wanted).ok_or("it has no id")?;
    let until_ms = super::now_ms() + i64::from(days) * 86_400_000;
    let mut places = Vec::new();
    for backup in found
        .backups
        .iter()
        .filter(|backup| backup.manifest.id == wanted)
    {
        for target in &found.targets {
            if backup.copies.contains_key(target.name()) {
                let set = Mark::pin(until_ms, why, target, &backup.manifest.shelf(), &id).await;
                set.map_err(|err| format!("{}: {err}", target.name()))?;
                places.push(target.name().to_owned());
            }
        }
    }
    Ok(Pinned {
        id: wanted,
        until_ms,
        places,
    })
}

impl Pinned {
    /// In words.
    pub(super) fn told(&self, config: &Config) -> String {
        let until = jiff::Timestamp::from_millisecond(self.until_ms).unwrap_or_default();
        let until = until.to_zoned_datetime(config.zone());
        format!(
            "pinned  {} in {} until {}",
            self.id,
            self.places.join(","),
            until.strftime("%Y-%m-%d %H:%M %Z")
        )
    }
}

/// Until when a backup is pinned, and why.
pub(super) struct Held {
    pub(super) until_ms: i64,
    pub(super) why: Option<String>,
}

/// What holds a backup now, if anything does. A target that does not tell why holds up
/// nobody.
pub(super) async fn held_by(backup: &Backup, targets: &[Target]) -> Option<Held> {
    let manifest = &backup.manifest;
    let pinned = |(name, copy): (&String, &Copy)| Some((copy.last(Kind::Pinned)?, name.clone()));
    let (until_ms, name) = backup.copies.iter().filter_map(pinned).max()?;
    if until_ms <= super::now_ms() {
        return None;
    }
    let mark = Mark {
        kind: Kind::Pinned,
        at_ms: until_ms,
    };
    let target = targets.iter().find(|target| target.name() == name)?;
    let id = Id::parse(&manifest.id)?;
    let why = timeout(PATIENCE, mark.why(target, &manifest.shelf(), &id)).await;
    let why = why.ok().flatten();
    Some(Held { until_ms, why })
}

impl Held {
    /// In words.
    pub(super) fn told(&self, id: &str, zone: &TimeZone) -> String {
        let until = jiff::Timestamp::from_millisecond(self.until_ms).unwrap_or_default();
        let until = until.to_zoned_datetime(zone.clone());
        let until = until.strftime("%Y-%m-%d %H:%M %Z");
        let why = self.why.as_ref();
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        format!("pinned: {id} until {until}{why}")
    }
}
