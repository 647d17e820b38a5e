//! What the query API answers from.

use std::sync::Arc;

use exposition::Labels;
use query_api::{Alertmanagers, Runtime, Source, Targets, View};
use reqwest::Url;
use settings::format_duration;

use super::Shared;
use super::shared::{RETENTION, external_url, host_name};
use crate::views;

/// The source of the API.
pub(super) fn source(shared: &Arc<Shared>) -> Source {
    let clock = Arc::clone(&shared.clock);
    let mut source = Source::new(Arc::clone(&shared.store), Arc::new(move || clock.now_ms()));
    let flags = &shared.flags;
    source.limits.samples = flags.query_samples;
    source.limits.timeout = flags.query_timeout;
    source.limits.lookback = flags.lookback;
    source.limits.concurrency = flags.query_concurrency;
    source.subquery_step = view(shared, |shared| shared.file().evaluation_interval);
    source.receives = flags.receive;
    source.flags = flags.told();
    source.rules = view(shared, |shared| views::groups(&shared.rules()));
    source.targets = view(shared, targets);
    source.metadata = view(shared, |shared| shared.scraping.metadata());
    source.alertmanagers = view(shared, alertmanagers);
    source.config = view(shared, |shared| shared.file().print());
    source.external_labels = view(shared, |shared| {
        Labels::from_pairs(shared.file().external_labels.clone())
    });
    source.runtime = view(shared, runtime);
    source
}

fn view<T: 'static>(shared: &Arc<Shared>, look: fn(&Shared) -> T) -> View<T> {
    let shared = Arc::clone(shared);
    Arc::new(move || look(&shared))
}

fn targets(shared: &Shared) -> Targets {
    let scraped = shared.scraping.scraped();
    let active = scraped
        .iter()
        .filter_map(|one| views::targets::scraped(&one.target.target, &one.status()));
    let port = shared.address.port();
    let external = external_url(&shared.flags, port);
    let active = active.map(|mut target| {
        if let Some(url) = from_elsewhere(&target.scrape_url, &external, port) {
            target.global_url = url;
        }
        target
    });
    let dropped = shared.scraping.dropped().into_iter();
    Targets {
        active: active.collect(),
        dropped: dropped.map(views::targets::dropped).collect(),
    }
}

/// How a page of this host is reached from elsewhere, as far as that can be known: ours by
/// the external URL, another's by the host in it.
fn from_elsewhere(url: &str, external: &str, port: u16) -> Option<String> {
    let (mut url, external) = (Url::parse(url).ok()?, Url::parse(external).ok()?);
    if !["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str()?) {
        return None;
    }
    if url.port_or_known_default() == Some(port) {
        url.set_scheme(external.scheme()).ok()?;
        url.set_port(external.port()).ok()?;
    }
    url.set_host(external.host_str()).ok()?;
    Some(url.into())
}

fn alertmanagers(shared: &Shared) -> Alertmanagers {
    let recipients = shared.outbox.recipients();
    Alertmanagers {
        active: recipients
            .iter()
            .map(|recipient| recipient.target.url.clone())
            .collect(),
        dropped: Vec::new(),
    }
}

fn runtime(shared: &Shared) -> Runtime {
    let reload = shared.reload_state();
    let folder = std::env::current_dir().unwrap_or_default();
    Runtime {
        start_ms: shared.started_ms,
        working_directory: folder.display().to_string(),
        hostname: host_name(),
        reloaded: !reload.refused,
        config_ms: reload.at_ms,
        corruptions: 0,
        retention: format!(
            "{} or {}",
            format_duration(shared.flags.retention.unwrap_or(RETENTION)),
            shared.flags.memory
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_host_are_told_as_others_reach_them() {
        for (url, external, told) in [
            (
                "http://localhost:9100/m?a=b",
                "http://host:9090",
                Some("http://host:9100/m?a=b"),
            ),
            (
                "http://[::1]:9090/metrics",
                "https://prom.example.org/p",
                Some("https://prom.example.org/metrics"),
            ),
            (
                "http://127.0.0.1:9090/metrics",
                "http://host:9090",
                Some("http://host:9090/metrics"),
            ),
            ("http://other:9090/metrics", "http://host:9090", None),
        ] {
            assert_eq!(
                from_elsewhere(url, external, 9090).as_deref(),
                told,
                "{url}"
            );
        }
    }
}
