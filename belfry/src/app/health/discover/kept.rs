//! What each source came to, on the disk: a restart while one does not answer ends no
//! look at its targets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use healthchecks::probe::Target;
use healthchecks::probe::discover::Discover;
use serde::{Deserialize, Serialize};
use tokio::time;

use super::super::super::Watch;
use super::{Discovered, Origin, Source, names};
use crate::state::{self, State};

/// A disk that takes longer is reported as failing.
const DEADLINE: Duration = Duration::from_secs(5);

/// What is kept of a source.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Name, target and module of each.
    targets: Vec<[String; 3]>,
    origins: BTreeSet<Origin>,
}

impl Discovered {
    /// With what was kept of the sources that are still configured.
    pub(in super::super) async fn restored(config: &Discover, state: &State) -> Self {
        let kept = state::load_discovered(&state.pool).await;
        let kept = kept.map_err(|err| err.to_string()).and_then(|body| {
            let sources = body.map(|body| read(&body)).transpose();
            sources.map_err(|err| err.to_string())
        });
        let mut sources = kept.unwrap_or_else(|err| {
            tracing::error!("cannot read which targets were found, so they are new: {err}");
            None
        });
        let known = names(config);
        if let Some(sources) = &mut sources {
            sources.retain(|name, _| known.contains(name));
        }
        Self {
            sources: sources.unwrap_or_default().into(),
            ..Self::default()
        }
    }

    fn body(&self) -> Option<String> {
        let sources = self.lock();
        let kept = sources.iter().map(|(name, source)| {
            let targets = source.targets.iter();
            let words = |one: &Target| [&one.name, &one.target, &one.module].map(String::clone);
            let kept = Kept {
                targets: targets.map(words).collect(),
                origins: source.origins.clone(),
            };
            (name, kept)
        });
        serde_json::to_string(&kept.collect::<BTreeMap<_, _>>()).ok()
    }
}

fn read(body: &str) -> serde_json::Result<BTreeMap<String, Source>> {
    let kept: BTreeMap<String, Kept> = serde_json::from_str(body)?;
    let source = |(name, kept): (String, Kept)| {
        let target = |[name, target, module]: [String; 3]| Target {
            name,
            target,
            module,
            ..Target::default()
        };
        let source = Source {
            targets: kept.targets.into_iter().map(target).collect(),
            origins: kept.origins,
            // It is told when it is not.
            well: true,
            answered: false,
        };
        (name, source)
    };
    Ok(kept.into_iter().map(source).collect())
}

/// What is on the disk at the start.
pub(super) async fn before(watch: &Watch) -> String {
    let loaded = time::timeout(DEADLINE, state::load_discovered(&watch.state.pool)).await;
    let body = loaded.ok().and_then(Result::ok).flatten();
    // No sources, of which nothing need be written.
    body.unwrap_or_else(|| "{}".to_owned())
}

/// Writes what the sources came to, if it is not what was written last.
pub(super) async fn keep(watch: &Watch, written: &mut String) {
    let body = watch.health.discovered.body();
    let Some(body) = body.filter(|body| written != body) else {
        return;
    };
    // What cannot be written now is tried again after the next look.
    match time::timeout(DEADLINE, state::save_discovered(&watch.state.pool, &body)).await {
        Ok(Ok(())) => {
            watch.state_written();
            *written = body;
        }
        Ok(Err(err)) => watch.state_failed("targets", &err),
        Err(_) => watch.state_failed("targets", &"the disk does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_found() {
        let target = Target {
            name: "shop".to_owned(),
            target: "shop.example:443".to_owned(),
            module: "tls_connect".to_owned(),
            ..Target::default()
        };
        let origins = BTreeSet::from([["postgres", "db:5432", "shop"].map(str::to_owned)]);
        let before = Discovered::default();
        before.took_from("series a", Ok((vec![target.clone()], origins.clone())));
        let sources = read(&before.body().unwrap()).unwrap();
        let source = &sources["series a"];
        assert_eq!(
            (&*source.targets, &source.origins),
            (&[target][..], &origins)
        );
        assert!(!source.answered);
        assert!(read("{").is_err());
    }
}
