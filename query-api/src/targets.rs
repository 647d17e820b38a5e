//! What is scraped, and where alerts go.

use std::collections::{BTreeMap, BTreeSet};

use exposition::Labels;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;
use crate::{DroppedTarget, Health, Target, times};

/// Labels as a JSON object.
pub(crate) struct Map<'a>(pub(crate) &'a Labels);

impl Serialize for Map<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Active<'a> {
    discovered_labels: Map<'a>,
    labels: Map<'a>,
    scrape_pool: &'a str,
    scrape_url: &'a str,
    global_url: &'a str,
    last_error: &'a str,
    last_scrape: String,
    #[serde(serialize_with = "times::plain")]
    last_scrape_duration: f64,
    health: &'static str,
    scrape_interval: &'a str,
    scrape_timeout: &'a str,
}

impl<'a> From<&'a Target> for Active<'a> {
    fn from(target: &'a Target) -> Self {
        Self {
            discovered_labels: Map(&target.discovered_labels),
            labels: Map(&target.labels),
            scrape_pool: &target.scrape_pool,
            scrape_url: &target.scrape_url,
            global_url: &target.global_url,
            last_error: &target.last_error,
            last_scrape: times::rfc3339(target.last_scrape_ms),
            last_scrape_duration: target.last_scrape_duration,
            health: match target.health {
                Health::Unknown => "unknown",
                Health::Good => "up",
                Health::Bad => "down",
            },
            scrape_interval: &target.scrape_interval,
            scrape_timeout: &target.scrape_timeout,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped<'a> {
    discovered_labels: Map<'a>,
    scrape_pool: &'a str,
}

impl<'a> From<&'a DroppedTarget> for Dropped<'a> {
    fn from(target: &'a DroppedTarget) -> Self {
        Self {
            discovered_labels: Map(&target.discovered_labels),
            scrape_pool: &target.scrape_pool,
        }
    }
}

/// `/targets`: scraped ones and dropped ones.
pub(crate) fn targets(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let targets = (api.source.targets)();
    let pool = ask.form.in_address("scrapePool");
    let state = ask.form.in_address("state").to_lowercase();
    let shows = |which: &str| ["", "any", which].contains(&state.as_str());
    let in_pool = |of: &str| pool.is_empty() || pool == of;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for target in &targets.active {
        counts.entry(&target.scrape_pool).or_default();
    }
    for target in &targets.dropped {
        *counts.entry(&target.scrape_pool).or_default() += 1;
    }
    let active = targets.active.iter().filter(|_| shows("active"));
    let active = active.filter(|target| in_pool(&target.scrape_pool));
    let dropped = targets.dropped.iter().filter(|_| shows("dropped"));
    let dropped = dropped.filter(|target| in_pool(&target.scrape_pool));
    Answer::json(&json!({
        "activeTargets": active.map(Active::from).collect::<Vec<_>>(),
        "droppedTargets": dropped.map(Dropped::from).collect::<Vec<_>>(),
        "droppedTargetCounts": shows("dropped").then_some(counts),
    }))
}

/// `/scrape_pools`: their names.
pub(crate) fn pools(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    let targets = (api.source.targets)();
    let active = targets.active.iter().map(|target| &target.scrape_pool);
    let dropped = targets.dropped.iter().map(|target| &target.scrape_pool);
    let pools: BTreeSet<&String> = active.chain(dropped).collect();
    Answer::json(&json!({ "scrapePools": pools }))
}

/// `/alertmanagers`: where alerts are sent.
pub(crate) fn alertmanagers(api: &Api, _: &Ask) -> Result<Answer, Failure> {
    let known = (api.source.alertmanagers)();
    let list =
        |urls: &[String]| -> Vec<_> { urls.iter().map(|url| json!({ "url": url })).collect() };
    Answer::json(&json!({
        "activeAlertmanagers": list(&known.active),
        "droppedAlertmanagers": list(&known.dropped),
    }))
}
