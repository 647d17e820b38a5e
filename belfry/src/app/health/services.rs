//! Services as the engine shows them, judged by what else is known.

use std::collections::{BTreeMap, BTreeSet};

use exporter::container::{Container, DeclaredService, Health, State};
use healthchecks::heartbeat;
use healthchecks::service::{Answer, Check, Evidence, Instance, Running, Services};

use super::super::Watch;
use super::echo::echoes;

/// All services of this host.
pub(crate) fn services(watch: &Watch) -> Services {
    let inventory = watch.containers.inventory();
    let instances = inventory.iter().map(|container| instance(container));
    let declared = watch.containers.declared().into_iter();
    let expected = declared.filter(|one| one.wanted > 0);
    Services::expecting(
        &watch.config().health,
        instances.collect(),
        expected.map(|one| (one.service, one.project)).collect(),
    )
}

/// How they all are.
pub(crate) fn answers(watch: &Watch) -> Vec<Answer> {
    with_evidence(watch, |evidence| services(watch).answers(evidence))
}

/// Why what is known of containers may not be so any more, or is not known at all.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Doubt {
    /// When the engine last listed them, in milliseconds since 1970; nothing if it
    /// has not yet.
    pub(crate) listed_ms: Option<i64>,
    /// Since when it does not answer; nothing while it may still come to it.
    since_ms: Option<i64>,
    /// In words.
    pub(crate) reason: String,
}

/// What is to be said of the engine by whoever tells of its containers; nothing while
/// it answers, or where there is none.
pub(crate) fn doubt(watch: &Watch) -> Option<Doubt> {
    let engine = watch.containers.engine();
    let well = match engine.listed_ms {
        Some(_) => engine.up,
        None => watch.knows_containers(),
    };
    if well {
        return None;
    }
    let since_ms = engine.since_ms.filter(|_| !engine.up);
    let why = engine.last_error.filter(|_| !engine.up);
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let since = since_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let reason = match (engine.listed_ms, since) {
        (Some(_), Some(since)) => format!(
            "does not answer since {}, containers are told as they were{why}",
            since.strftime("%Y-%m-%dT%H:%M:%SZ")
        ),
        _ => format!("has not listed its containers yet{why}"),
    };
    Some(Doubt {
        listed_ms: engine.listed_ms,
        since_ms,
        reason,
    })
}

/// Judges by what heartbeats and probes say now.
pub(crate) fn with_evidence<T>(watch: &Watch, judge: impl FnOnce(Evidence<'_>) -> T) -> T {
    let now_ms = watch.clock.now_ms();
    let beats = &watch.health.beats;
    judge(Evidence {
        heartbeat_down: &|name| beats.state(name, now_ms) == Some(heartbeat::State::Down),
        probe_up: &|name| watch.health.probes.up(name),
        // What containers and others ask for is known only by and by.
        no_probe: &|name| watch.health.targets_known() && !watch.health.probes.has(name),
        holds: &|expr| watch.health.proofs.of(expr),
    })
}

/// What compose says a service depends on: `db:service_healthy:false,migrate:service_completed_successfully:true`.
const DEPENDS_ON: &str = "com.docker.compose.depends_on";

/// The services that are needed, and those of them that are to end well.
fn needed(labels: &BTreeMap<String, String>) -> (Vec<String>, Vec<String>) {
    let (mut needed, mut awaited) = (Vec::new(), Vec::new());
    let all = labels.get(DEPENDS_ON).map_or("", String::as_str).split(',');
    for one in all {
        let mut words = one.split(':');
        let Some(name) = words.next().filter(|name| !name.is_empty()) else {
            continue;
        };
        needed.push(name.to_owned());
        if words.next() == Some("service_completed_successfully") {
            awaited.push(name.to_owned());
        }
    }
    (needed, awaited)
}

/// Which services need which others, by compose's labels, by its files where there is no
/// container yet, and by what our own file declares.
pub(crate) fn needs(watch: &Watch) -> Vec<alerter::Need> {
    let mut all = Vec::new();
    let inventory = watch.containers.inventory();
    let mut projects: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in inventory.iter().filter(|it| !it.service.is_empty()) {
        let known = projects.entry(&container.service).or_default();
        known.insert(&container.project);
        let (needed, _) = needed(&container.all_labels);
        all.extend(needed.into_iter().map(|needs| alerter::Need {
            project: container.project.clone(),
            service: container.service.clone(),
            needs,
        }));
    }
    let has_container = |declared: &DeclaredService| {
        let projects = projects.get(&*declared.service);
        projects.is_some_and(|projects| projects.contains(&*declared.project))
    };
    let declared = watch.containers.declared().into_iter();
    for declared in declared.filter(|one| !has_container(one)) {
        let needed = declared.depends_on.into_iter();
        all.extend(needed.map(|needs| alerter::Need {
            project: declared.project.clone(),
            service: declared.service.clone(),
            needs,
        }));
    }
    for (name, declared) in &watch.config().health.services {
        let service = match &*declared.service {
            "" => name,
            service => service,
        };
        let projects = match &*declared.project {
            "" => projects.get(service).cloned().unwrap_or_default(),
            project => BTreeSet::from([project]),
        };
        for project in projects {
            all.extend(declared.depends_on.iter().map(|needs| alerter::Need {
                project: project.to_owned(),
                service: service.to_owned(),
                needs: needs.clone(),
            }));
        }
    }
    all.sort();
    all.dedup();
    all
}

fn instance(of: &Container) -> Instance {
    let (depends_on, awaits) = needed(&of.all_labels);
    let one_shot = matches!(of.restart_policy.as_str(), "" | "no" | "on-failure");
    let since_ms = if of.state.has_processes() {
        of.started_ms
    } else {
        of.finished_ms
    };
    Instance {
        name: of.name.clone(),
        project: of.project.clone(),
        service: if of.service.is_empty() {
            of.name.clone()
        } else {
            of.service.clone()
        },
        running: match of.state {
            State::Running => Running::Yes,
            State::Paused => Running::Paused,
            State::Restarting => Running::Restarting,
            State::Exited if one_shot && of.exit_code == Some(0) => Running::Completed,
            State::Created | State::Exited | State::Dead | State::Removing => Running::Stopped,
        },
        check: match of.health {
            _ if echoes(of) => Check::None,
            Health::None => Check::None,
            Health::Starting => Check::Starting,
            Health::Healthy => Check::Healthy,
            Health::Unhealthy => Check::Unhealthy,
        },
        output: of.health_output.clone(),
        since_ms,
        depends_on,
        awaits,
    }
}
