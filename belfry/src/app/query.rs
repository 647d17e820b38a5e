//! What Prometheus' query API answers from, seen from here.

use std::sync::Arc;

use exposition::Labels;
use query_api::{Alertmanagers, Metadata, Runtime, Source, Targets, View};
use settings::{Page, Value as _};

use super::Watch;
use crate::sending::Recipient;
use crate::views;

/// The source of the API: the store, and views of the rules and targets.
pub(crate) fn source(watch: &Arc<Watch>) -> Source {
    let clock = Arc::clone(&watch.clock);
    let mut source = Source::new(Arc::clone(&watch.store), Arc::new(move || clock.now_ms()));
    source.subquery_step = view(watch, |watch| watch.config().evaluation_interval());
    source.rules = view(watch, |watch| views::groups(&watch.rules()));
    source.targets = view(watch, targets);
    source.metadata = view(watch, metadata);
    source.config = view(watch, config);
    source.alertmanagers = view(watch, |watch| {
        let recipients = watch.outbox.recipients();
        let url = |one: &Arc<Recipient>| one.target.url.clone();
        Alertmanagers {
            active: recipients.iter().map(url).collect(),
            dropped: Vec::new(),
        }
    });
    source.external_labels = view(watch, |watch| {
        Labels::from_pairs(watch.config().rules.external_labels.clone())
    });
    source.runtime = view(watch, runtime);
    source.receives = watch.config().series.receive;
    source
}

fn view<T: 'static>(watch: &Arc<Watch>, look: fn(&Watch) -> T) -> View<T> {
    let watch = Arc::clone(watch);
    Arc::new(move || look(&watch))
}

fn targets(watch: &Watch) -> Targets {
    let every = settings::format_duration(watch.config().interval);
    let own = |intake: &rules::Intake| {
        let job = &intake.target().job;
        let place = views::targets::Place {
            pool: job.clone(),
            url: format!("http://{}/metrics/{job}", watch.address),
            interval: every.clone(),
            timeout: every.clone(),
        };
        views::targets::target(intake.target(), intake.status(), None, place)
    };
    let mut active: Vec<_> = watch.intakes().iter().map(own).collect();
    let scraped = watch.scraping.scraped();
    active.extend(
        scraped
            .iter()
            .filter_map(|one| views::targets::scraped(&one.target.target, &one.status())),
    );
    let dropped = watch.scraping.dropped().into_iter();
    Targets {
        active,
        dropped: dropped.map(views::targets::dropped).collect(),
    }
}

fn metadata(watch: &Watch) -> Vec<Metadata> {
    let mut all = watch.families.all();
    all.extend(watch.scraping.metadata());
    all
}

/// The configuration in force, without secrets; what a client of Prometheus asks
/// for in front of it, under Prometheus' names.
fn config(watch: &Watch) -> String {
    let config = watch.config();
    let mut page = Page::default();
    page.section("global", |page| {
        page.value("scrape_interval", &config.interval);
        page.value("evaluation_interval", &config.evaluation_interval());
        page.value("external_labels", &config.rules.external_labels);
    });
    config.fill(&mut page);
    page.finish()
}

fn runtime(watch: &Watch) -> Runtime {
    let config = watch.config();
    Runtime {
        start_ms: watch.own.started_ms,
        working_directory: String::new(),
        hostname: config.host_name(),
        reloaded: watch.own.reload_refused().is_none(),
        config_ms: watch.own.reloaded_ms(),
        corruptions: 0,
        retention: format!(
            "{} or {}",
            settings::format_duration(config.series.retention),
            config.series.memory
        ),
    }
}
