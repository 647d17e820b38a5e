//! `belfry backup list`: every backup once, with all places that have it.

use std::collections::BTreeMap;

use backup::Setup;
use backup::catalogue::{self, Backup, Copy};
use backup::marks::Kind;
use dashboards::amount::bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::pin::{Held, held_by};
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::out;

pub(super) async fn run(setup: &Setup, config: &Config, job: Option<&str>, json: bool) -> Exit {
    let targets = match setup.all_targets() {
        Ok(targets) => targets,
        Err(err) => {
            out::error(format_args!("belfry: {err}"));
            return exit::USAGE;
        }
    };
    let mut listings = Vec::new();
    let mut code = exit::OK;
    for target in &targets {
        match catalogue::list(target, "", &setup.kept()).await {
            Ok(listing) => {
                for (key, why) in &listing.unreadable {
                    out::error(format_args!("belfry: {}: {key}: {why}", target.name()));
                    code = exit::WARNING;
                }
                listings.push((target.name().to_owned(), listing));
            }
            Err(err) => {
                out::error(format_args!(
                    "belfry: {} cannot be listed: {err}",
                    target.name()
                ));
                code = exit::WARNING;
            }
        }
    }
    let mut backups = catalogue::merge(&listings);
    backups.retain(|backup| job.is_none_or(|job| backup.manifest.source == job));
    backups.reverse();
    let mut held = Vec::new();
    for backup in &backups {
        held.push(held_by(backup, &targets).await);
    }
    if json {
        let all = backups.iter().zip(&held);
        let all: Vec<_> = all
            .map(|(backup, held)| value(backup, held.as_ref()))
            .collect();
        out::line(Value::from(all));
        return code;
    }
    if backups.is_empty() {
        out::line("no backups");
        return code;
    }
    // What lies in a bucket may be of others too.
    let ours = backup::id::made_safe(&setup.host);
    let mut hosts: Vec<_> = backups.iter().map(|one| &*one.manifest.host).collect();
    hosts.sort_by_key(|host| (*host != ours, *host));
    hosts.dedup();
    let shared = hosts != [&*ours];
    let host = if shared { "  HOST" } else { "" };
    out::line(format_args!(
        "ID                         JOB         SIZE     ROWS      STATE     WHERE{host}"
    ));
    for backup in &backups {
        let host = if shared { &*backup.manifest.host } else { "" };
        out::line(format!("{}  {host}", line(backup)).trim_end());
    }
    let zone = config.zone();
    for (backup, held) in backups.iter().zip(&held) {
        if let Some(held) = held {
            out::line(held.told(&backup.manifest.id, &zone));
        }
    }
    for host in hosts {
        let of = |backup: &&Backup| backup.is_good() && backup.manifest.host == host;
        let Some(newest) = backups.iter().find(of) else {
            continue;
        };
        let whose = if shared {
            format!(" of {host}")
        } else {
            String::new()
        };
        let told = |at_ms: i64| {
            let at = Timestamp::from_millisecond(at_ms).unwrap_or_default();
            let at = at.to_zoned_datetime(zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
        };
        let started_ms = newest.manifest.started_ms;
        out::line(format_args!("newest good one{whose}: {}", told(started_ms)));
        let looked = |copy: &Copy| copy.last(Kind::Unchanged).is_some();
        if newest.copies.values().any(looked) {
            let at = told(newest.as_of_ms());
            out::line(format_args!("unchanged since, last looked at: {at}"));
        }
    }
    code
}

/// The most that is known of any copy.
fn state(backup: &Backup) -> &'static str {
    let any = |kind| {
        backup
            .copies
            .values()
            .any(|copy| copy.is_good() && copy.last(kind).is_some())
    };
    if backup.manifest.doubt.is_some() {
        "doubted"
    } else if !backup.is_good() {
        "broken"
    } else if any(Kind::Drilled) {
        "drilled"
    } else if any(Kind::Verified) {
        "verified"
    } else {
        "stored"
    }
}

fn line(backup: &Backup) -> String {
    let manifest = &backup.manifest;
    let place = |(name, copy): (&String, &Copy)| {
        if copy.broken.is_none() && !copy.is_unsound() {
            name.clone()
        } else {
            format!("{name}(!)")
        }
    };
    let places: Vec<_> = backup.copies.iter().map(place).collect();
    let rows = manifest
        .rows()
        .map_or_else(|| "-".to_owned(), |rows| rows.to_string());
    let text = format!(
        "{:<25}  {:<10}  {:<8} {:<9} {:<9} {}",
        manifest.id,
        manifest.source,
        bytes(manifest.stored_bytes()),
        rows,
        state(backup),
        places.join(",")
    );
    text.trim_end().to_owned()
}

fn value(backup: &Backup, held: Option<&Held>) -> Value {
    let manifest = &backup.manifest;
    let copies: BTreeMap<_, _> = backup
        .copies
        .iter()
        .map(|(name, copy)| {
            let about = json!({
                "good": copy.is_good(),
                "broken": copy.broken,
                "verified_ms": copy.last(Kind::Verified),
                "drilled_ms": copy.last(Kind::Drilled),
                "unsound_ms": copy.last(Kind::Unsound),
            });
            (name.clone(), about)
        })
        .collect();
    json!({
        "id": manifest.id,
        "job": manifest.source,
        "host": manifest.host,
        "kind": manifest.kind,
        "started_ms": manifest.started_ms,
        "as_of_ms": backup.as_of_ms(),
        "stored_bytes": manifest.stored_bytes(),
        "raw_bytes": manifest.raw_bytes(),
        "rows": manifest.rows(),
        "revisions": manifest.postgres.as_ref().map(|postgres| &postgres.revisions),
        "state": state(backup),
        "doubt": manifest.doubt,
        "warnings": manifest.warnings,
        "pinned_until_ms": held.map(|held| held.until_ms),
        "pinned_why": held.and_then(|held| held.why.as_ref()),
        "copies": copies,
    })
}
