//! What Prometheus' query API answers from, seen from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use exposition::{Entry, Labels};
use query_api::{
    Alert, Health, Metadata, Rule, RuleGroup, RuleKind, RuleState, Runtime, Source, Target,
    Targets, View,
};

use super::Watch;

/// The source of the API: the store, and views of the rules and targets.
pub(crate) fn source(watch: &Arc<Watch>) -> Source {
    let clock = Arc::clone(&watch.clock);
    let mut source = Source::new(Arc::clone(&watch.store), Arc::new(move || clock.now_ms()));
    source.limits.subquery_step = watch.config().interval;
    source.rules = view(watch, groups);
    source.targets = view(watch, targets);
    source.metadata = view(watch, |watch| watch.metadata().clone());
    source.config = view(watch, config);
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

fn groups(watch: &Watch) -> Vec<RuleGroup> {
    let rules = watch.rules();
    rules.groups().iter().map(group).collect()
}

fn group(group: &rules::Group) -> RuleGroup {
    RuleGroup {
        name: group.name.clone(),
        file: group.file.to_string(),
        interval: seconds(group.interval_ms),
        limit: group.limit,
        rules: group.rules.iter().map(rule).collect(),
        evaluation_time: group.took.as_secs_f64(),
        last_evaluation_ms: group.last_evaluation_ms,
    }
}

fn rule(rule: &rules::Rule) -> Rule {
    let kind = match &rule.spec.kind {
        rules::RuleKind::Record => RuleKind::Recording,
        rules::RuleKind::Alert {
            for_ms,
            keep_firing_ms,
            annotations,
        } => {
            let alerts: Vec<_> = rule
                .active()
                .map(|(labels, active)| alert(labels, active))
                .collect();
            let has = |state: RuleState| alerts.iter().any(|alert| alert.state == state);
            RuleKind::Alerting {
                state: match rule.health {
                    rules::Health::Unknown => RuleState::Unknown,
                    _ if has(RuleState::Firing) => RuleState::Firing,
                    _ if has(RuleState::Pending) => RuleState::Pending,
                    _ => RuleState::Inactive,
                },
                hold: seconds(*for_ms),
                keep_firing_for: seconds(*keep_firing_ms),
                annotations: Labels::from_pairs(annotations.clone()),
                alerts,
            }
        }
    };
    Rule {
        name: rule.spec.name.clone(),
        query: rule.spec.expr.to_string(),
        labels: Labels::from_pairs(rule.spec.labels.clone()),
        health: match rule.health {
            rules::Health::Unknown => Health::Unknown,
            rules::Health::Good => Health::Good,
            rules::Health::Bad => Health::Bad,
        },
        last_error: rule.last_error.clone(),
        evaluation_time: rule.took.as_secs_f64(),
        last_evaluation_ms: rule.last_evaluation_ms,
        kind,
    }
}

fn alert(labels: &Labels, active: &rules::Active) -> Alert {
    Alert {
        labels: labels.clone(),
        annotations: Labels::from_pairs(active.annotations.clone()),
        state: match active.state {
            rules::State::Pending => RuleState::Pending,
            rules::State::Firing => RuleState::Firing,
            rules::State::Inactive => RuleState::Inactive,
        },
        active_at_ms: active.active_at_ms,
        keep_firing_since_ms: active.keep_firing_since_ms,
        value: active.value,
    }
}

fn targets(watch: &Watch) -> Targets {
    let config = watch.config();
    let foreign = config.rules.foreign(config.interval);
    let every = settings::format_duration(config.interval);
    let intakes = watch.intakes();
    let active = intakes.iter().map(|intake| {
        let (target, status) = (intake.target(), intake.status());
        let mut labels: BTreeMap<String, String> = target.labels.clone();
        labels.insert("job".into(), target.job.clone());
        labels.insert("instance".into(), target.instance.clone());
        let there = foreign.iter().find(|there| {
            there.target.job == target.job && there.target.instance == target.instance
        });
        let url = there.map_or_else(
            || format!("http://{}/metrics/{}", watch.address, target.job),
            |there| there.url.clone(),
        );
        let labels = Labels::from_pairs(labels);
        Target {
            discovered_labels: labels.clone(),
            labels,
            scrape_pool: target.job.clone(),
            global_url: url.clone(),
            scrape_url: url,
            last_error: status.last_error.clone().unwrap_or_default(),
            last_scrape_ms: status.last_scrape_ms,
            last_scrape_duration: status.took.as_secs_f64(),
            health: match status.up {
                None => Health::Unknown,
                Some(true) => Health::Good,
                Some(false) => Health::Bad,
            },
            scrape_interval: there.map_or_else(
                || every.clone(),
                |there| settings::format_duration(there.every),
            ),
            scrape_timeout: there.map_or_else(
                || every.clone(),
                |there| settings::format_duration(there.timeout),
            ),
        }
    });
    Targets {
        active: active.collect(),
        dropped: Vec::new(),
    }
}

/// What of the configuration a client of Prometheus asks for; no secret is in it.
fn config(watch: &Watch) -> String {
    let config = watch.config();
    let every = settings::format_duration(config.interval);
    format!("global:\n  scrape_interval: {every}\n  evaluation_interval: {every}\n")
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

/// What a page says of its families.
pub(super) fn metadata(page: &str, job: &str, instance: &str) -> Vec<Metadata> {
    let target = Labels::from_pairs([("job", job), ("instance", instance)]);
    let mut families: BTreeMap<&str, Metadata> = BTreeMap::new();
    for entry in exposition::parse(page).filter_map(Result::ok) {
        let (name, entry) = match entry {
            Entry::Help(name, help) => (name, Ok(help)),
            Entry::Type(name, kind) => (name, Err(kind)),
            _ => continue,
        };
        let family = families.entry(name).or_insert_with(|| Metadata {
            target: target.clone(),
            family: name.to_owned(),
            kind: "unknown",
            help: String::new(),
            unit: String::new(),
        });
        match entry {
            Ok(help) => family.help = help,
            Err(exposition::Kind::Untyped) => {}
            Err(kind) => family.kind = kind.as_str(),
        }
    }
    families.into_values().collect()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}
