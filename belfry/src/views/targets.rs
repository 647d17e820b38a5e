//! What is scraped, as Prometheus' API shows it.

use std::collections::BTreeMap;

use exposition::Labels;
use query_api::{DroppedTarget, Health, Target};
use rules::{Dropped, Status};
use settings::format_duration;

/// A target elsewhere, or nothing for a page of this process.
pub(crate) fn scraped(target: &rules::Target, status: &Status) -> Option<Target> {
    let origin = target.origin.clone()?;
    let discovered = Labels::from_pairs(origin.discovered.clone());
    let place = Place {
        pool: origin.pool.clone(),
        url: origin.url.clone(),
        interval: format_duration(origin.every),
        timeout: format_duration(origin.timeout),
    };
    Some(self::target(target, status, Some(discovered), place))
}

/// Where a target is, and how often it is asked.
pub(crate) struct Place {
    /// The scrape pool.
    pub pool: String,
    /// The address of the page.
    pub url: String,
    /// As configured.
    pub interval: String,
    /// As configured.
    pub timeout: String,
}

/// A target; without labels from before relabelling its own stand for them.
pub(crate) fn target(
    target: &rules::Target,
    status: &Status,
    discovered: Option<Labels>,
    place: Place,
) -> Target {
    let mut labels: BTreeMap<String, String> = target.labels.clone();
    labels.insert("job".into(), target.job.clone());
    labels.insert("instance".into(), target.instance.clone());
    let labels = Labels::from_pairs(labels);
    Target {
        discovered_labels: discovered.unwrap_or_else(|| labels.clone()),
        labels,
        scrape_pool: place.pool,
        global_url: place.url.clone(),
        scrape_url: place.url,
        last_error: status.last_error.clone().unwrap_or_default(),
        last_scrape_ms: status.last_scrape_ms,
        last_scrape_duration: status.took.as_secs_f64(),
        health: match status.up {
            None => Health::Unknown,
            Some(true) => Health::Good,
            Some(false) => Health::Bad,
        },
        scrape_interval: place.interval,
        scrape_timeout: place.timeout,
    }
}

/// A target that relabelling dropped.
pub(crate) fn dropped(dropped: Dropped) -> DroppedTarget {
    DroppedTarget {
        discovered_labels: Labels::from_pairs(dropped.discovered),
        scrape_pool: dropped.pool,
    }
}
