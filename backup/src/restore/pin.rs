//! A restore pins the backup that it is of: until somebody confirms what took its place, or
//! undoes it, retention does not take away what may be needed once more.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Manner;
use crate::catalogue::Copy;
use crate::id::Id;
use crate::marks::{Kind, Mark};
use crate::run::Say;
use crate::target::Target;
use crate::{Job, Setup, note};

/// It ends by itself where nobody ever confirms.
const DAYS: i64 = 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pin {
    target: String,
    key: String,
}

fn file(setup: &Setup, job: &Job) -> PathBuf {
    setup.work.join(format!("pinned-{}.json", job.name))
}

fn pins(setup: &Setup, job: &Job) -> Vec<Pin> {
    let text = std::fs::read(file(setup, job)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Pins what is restored meanwhile, if that is wanted; a restore that failed needs it no more.
pub(super) async fn around<T>(
    (setup, job): (&Setup, &Job),
    (target, copy): (&Target, &Copy),
    manner: &Manner,
    placing: impl Future<Output = Result<T, String>>,
    say: Say<'_>,
) -> Result<T, String> {
    if manner.pin {
        hold(setup, job, target, copy, say).await;
    }
    let placed = placing.await;
    if manner.pin && placed.is_err() {
        release(setup, job).await;
    }
    placed
}

/// Pins it. Where that cannot be, it is restored all the same.
async fn hold(setup: &Setup, job: &Job, target: &Target, copy: &Copy, say: Say<'_>) {
    let manifest = &copy.manifest;
    let held = async {
        let id = Id::parse(&manifest.id).ok_or("it has no id")?;
        let mark = Mark {
            kind: Kind::Pinned,
            at_ms: jiff::Timestamp::now().as_millisecond() + DAYS * 86_400_000,
        };
        let shelf = manifest.shelf();
        // Noted first: a pin that nobody knows of would stay to its end.
        let mut all = pins(setup, job);
        all.push(Pin {
            target: target.name().to_owned(),
            key: shelf.key(&id, &mark.ending()),
        });
        note::write(&setup.work, &file(setup, job), &all)?;
        let set = mark.set(target, &shelf, &id).await;
        set.map_err(|err| err.to_string())
    };
    say(match held.await {
        Ok(()) => format!(
            "pin     {} in {}, for {DAYS} days or until this is confirmed",
            manifest.id,
            target.name()
        ),
        Err(err) => format!("warn    {} is not pinned: {err}", manifest.id),
    });
}

/// Takes the pins of restores of this job away. One that stays ends by itself.
pub(super) async fn release(setup: &Setup, job: &Job) {
    let all = pins(setup, job);
    if all.is_empty() {
        return;
    }
    let targets = setup.all_targets().unwrap_or_default();
    for pin in all {
        if let Some(target) = targets.iter().find(|target| target.name() == pin.target) {
            let _ = target.delete(&pin.key).await;
        }
    }
    let _ = note::remove(&setup.work, &file(setup, job));
}
