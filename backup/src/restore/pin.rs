//! A restore pins the backup that it is of: until somebody confirms what took its place, or
//! undoes it, retention does not take away what may be needed once more.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::Manner;
use crate::catalogue::Copy;
use crate::id::Id;
use crate::marks::{Kind, Mark};
use crate::run::Say;
use crate::target::Target;
use crate::{Job, Setup, note};

/// It ends by itself where nobody ever confirms.
const DAYS: i64 = 30;
/// Why it is pinned. What says so is taken away here, and where it was noted alone.
pub(crate) const RESTORED: &str = "it was restored, and nobody has confirmed that yet";
/// How long a target may take to let go of a pin.
const PATIENCE: Duration = Duration::from_secs(20);

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
    let held = match manner.pin {
        true => hold(setup, job, target, copy, say).await,
        false => None,
    };
    let placed = placing.await;
    // Those of restores before it are of what is still to be confirmed.
    if placed.is_err()
        && let Some(pin) = held
    {
        let rest = pins(setup, job).into_iter().filter(|one| *one != pin);
        let rest: Vec<Pin> = rest.collect();
        take_away(setup, &[pin]).await;
        let noted = file(setup, job);
        let _ = match rest.is_empty() {
            true => note::remove(&setup.work, &noted),
            false => note::write(&setup.work, &noted, &rest),
        };
    }
    placed
}

/// Pins it. Where that cannot be, it is restored all the same.
async fn hold(setup: &Setup, job: &Job, target: &Target, copy: &Copy, say: Say<'_>) -> Option<Pin> {
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
        let pin = Pin {
            target: target.name().to_owned(),
            key: shelf.key(&id, &mark.ending()),
        };
        all.push(pin.clone());
        note::write(&setup.work, &file(setup, job), &all)?;
        let set = Mark::pin(mark.at_ms, RESTORED, target, &shelf, &id).await;
        set.map(|()| pin).map_err(|err| err.to_string())
    };
    match held.await {
        Ok(pin) => {
            say(format!(
                "pin     {} in {}, for {DAYS} days or until this is confirmed",
                manifest.id,
                target.name()
            ));
            Some(pin)
        }
        Err(err) => {
            say(format!("warn    {} is not pinned: {err}", manifest.id));
            None
        }
    }
}

/// Takes the pins of restores of this job away. One that stays ends by itself.
pub(super) async fn release(setup: &Setup, job: &Job) {
    let all = pins(setup, job);
    if all.is_empty() {
        return;
    }
    take_away(setup, &all).await;
    let _ = note::remove(&setup.work, &file(setup, job));
}

async fn take_away(setup: &Setup, pins: &[Pin]) {
    let targets = setup.all_targets().unwrap_or_default();
    for pin in pins {
        if let Some(target) = targets.iter().find(|target| target.name() == pin.target) {
            // A bucket that does not answer holds nobody up.
            let _ = timeout(PATIENCE, target.delete(&pin.key)).await;
        }
    }
}
