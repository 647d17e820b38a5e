//! How the host is now, as the page and `belfry status` show it.

use alerter::AlertView;
use dashboards::fact::{Event, Fault, Severity};
use dashboards::page::{
    Card, Dependency, Found, MailHealth, Now, Pending, Service, State, Status, Target,
};
use dashboards::time::Zone;
use exporter::Standing;
use healthchecks::discover::Kind;
use healthchecks::readiness;
use rules::{RuleKind, State as RuleState};
use serde_json::{Value, json};

use super::{Job, Watch, facts, watched};
use crate::runbooks::Shelf;

/// The view that the page is written from.
pub(crate) async fn view(watch: &Watch) -> Now {
    let config = watch.config();
    let now_ms = watch.clock.now_ms();
    let interval_ms = i64::try_from(config.interval.as_millis()).unwrap_or(i64::MAX / 4);
    let services = services(watch);
    let engine = watch.containers.engine();
    Now {
        host: config.host_name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now_ms,
        zone: Zone(config.zone()),
        started_ms: watch.own.started_ms,
        data_ms: watch.own.collected_ms(),
        // A little more than two rounds, so that a busy second is not called old.
        stale_after_ms: 2 * interval_ms + 5_000,
        reload_error: watch
            .own
            .reload_refused()
            .map(|(text, since_ms)| Fault { text, since_ms }),
        cards: cards(watch, config.external_url.trim_end_matches('/')).await,
        pending: pending(watch),
        services_note: if services.is_empty() {
            services_note(watch, &engine)
        } else {
            String::new()
        },
        services,
        probes: watched::probes(&watch.health, now_ms),
        sites: watched::sites(&watch.health.probes.verdicts()),
        heartbeats: watched::heartbeats(watch.health.beats.views(now_ms)),
        peers: watched::peers(super::health::peers(watch)),
        facts: facts::host(watch, now_ms),
        targets: targets(watch),
        found: found(watch),
        mail: mail(watch).await,
        watch: dependencies(watch),
        changes: Vec::new(),
    }
}

/// The same for programs.
pub(crate) async fn status(watch: &Watch) -> Value {
    let now = view(watch).await;
    let verdict = watch.readiness.verdict();
    let mut body =
        serde_json::to_value(&now).unwrap_or_else(|err| json!({ "error": err.to_string() }));
    body["ready"] = json!(verdict.ready);
    body
}

async fn cards(watch: &Watch, public_url: &str) -> Vec<Card> {
    let alerts = watch.alerter.alerts().await.unwrap_or_default();
    alerts
        .iter()
        .filter(|alert| !super::evaluate::is_watchdog(&alert.labels))
        .map(|alert| {
            let hides = alerts
                .iter()
                .filter(|other| other.inhibited_by == Some(alert.fingerprint))
                .count();
            Card {
                context: watch.contexts.of(alert.fingerprint),
                ..card(
                    &watch.shelf,
                    alert,
                    muted(alert, &alerts),
                    hides,
                    public_url,
                )
            }
        })
        .collect()
}

/// How bad it is by now.
pub(super) fn severity(alert: &AlertView) -> Severity {
    match alert.escalation.raised_ms {
        Some(_) => Severity::Critical,
        None => Severity::from_label(alert.labels.get("severity").map(String::as_str)),
    }
}

/// What comes if nobody ends or answers it.
pub(super) fn then(alert: &AlertView) -> Vec<Event> {
    let raises = alert.escalation.raises_ms.map(|at_ms| Event {
        what: "becomes critical".into(),
        at_ms,
    });
    let second = alert.escalation.second_ms.map(|at_ms| Event {
        what: "second contact".into(),
        at_ms,
    });
    let over = alert.escalation.over_ms.map(|at_ms| Event {
        what: "over if it stays away".into(),
        at_ms,
    });
    raises.into_iter().chain(second).chain(over).collect()
}

/// Why nobody is told of an alert; empty if somebody is.
pub(super) fn muted(alert: &AlertView, all: &[AlertView]) -> String {
    if let Some(id) = alert.silenced_by.first() {
        return format!("silenced by {id}");
    }
    let Some(by) = alert.inhibited_by else {
        return String::new();
    };
    let by = all.iter().find(|other| other.fingerprint == by);
    let name = by.and_then(|by| by.labels.get("alertname"));
    format!("hidden by {}", name.map_or("another alert", String::as_str))
}

fn card(shelf: &Shelf, alert: &AlertView, muted: String, hides: usize, public_url: &str) -> Card {
    let note = |name: &str| alert.annotations.get(name).cloned().unwrap_or_default();
    let label = |name: &str| alert.labels.get(name).map(String::as_str);
    Card {
        id: format!("{:016x}", alert.fingerprint),
        name: label("alertname").unwrap_or_default().to_owned(),
        severity: severity(alert),
        summary: note("summary"),
        description: note("description"),
        impact: note("impact"),
        since_ms: Some(alert.starts_ms),
        value: if note("limit").is_empty() {
            String::new()
        } else {
            note("value")
        },
        limit: note("limit"),
        trend: None,
        hides,
        muted,
        returned: alert
            .returned
            .as_ref()
            .map_or_else(String::new, |step| step.detail.to_string()),
        owner: alert.receivers.join(", "),
        ack_url: match alert.ack {
            None => format!("/ack/{:016x}", alert.fingerprint),
            Some(_) => String::new(),
        },
        ack: alert.ack.as_ref().map(|ack| dashboards::fact::Ack {
            by: ack.by.clone(),
            note: ack.note.clone(),
            at_ms: ack.at_ms,
        }),
        next: alert.next_ms.map(|at_ms| Event {
            what: if alert.sent > 0 { "mail again" } else { "mail" }.into(),
            at_ms,
        }),
        then: then(alert),
        runbook: shelf.brief(&note("runbook_url"), &alert.labels, public_url, usize::MAX),
        labels: alert.labels.clone(),
        context: None,
    }
}

fn pending(watch: &Watch) -> Vec<Pending> {
    let rules = watch.rules();
    let mut pending = Vec::new();
    for rule in rules.groups().iter().flat_map(|group| &group.rules) {
        let RuleKind::Alert { for_ms, .. } = rule.spec.kind else {
            continue;
        };
        for (labels, active) in rule
            .active()
            .filter(|(_, active)| active.state == RuleState::Pending)
        {
            pending.push(Pending {
                name: rule.spec.name.clone(),
                summary: active
                    .annotations
                    .get("summary")
                    .cloned()
                    .unwrap_or_default(),
                severity: Severity::from_label(Some(labels.get("severity"))),
                since_ms: active.active_at_ms,
                fires_at_ms: active.active_at_ms + for_ms,
            });
        }
    }
    pending
}

fn services(watch: &Watch) -> Vec<Service> {
    use exporter::container::{Health, State as Is};
    watch
        .containers
        .inventory()
        .iter()
        .map(|container| Service {
            project: container.project.clone(),
            name: if container.service.is_empty() {
                container.name.clone()
            } else {
                container.service.clone()
            },
            state: match container.state {
                Is::Running => State::Running,
                Is::Created => State::Created,
                Is::Exited => State::Exited,
                Is::Restarting => State::Restarting,
                Is::Paused => State::Paused,
                Is::Dead | Is::Removing => State::Dead,
            },
            health: match container.health {
                Health::None => dashboards::page::Health::None,
                Health::Starting => dashboards::page::Health::Starting,
                Health::Healthy => dashboards::page::Health::Healthy,
                Health::Unhealthy => dashboards::page::Health::Unhealthy,
            },
            restarts: container.restart_count,
            exit_code: container.exit_code,
            oom_killed: container.oom_killed,
            one_shot: matches!(container.restart_policy.as_str(), "" | "no"),
            since_ms: if container.state.has_processes() {
                container.started_ms
            } else {
                container.finished_ms
            },
        })
        .collect()
}

fn services_note(watch: &Watch, engine: &exporter::container::EngineState) -> String {
    let socket = watch.socket.display();
    match &engine.last_error {
        _ if engine.up => "The engine has no containers.".into(),
        Some(err) => format!("No Docker engine answers at {socket}: {err}"),
        None => format!("The Docker engine at {socket} has not answered yet."),
    }
}

fn targets(watch: &Watch) -> Vec<Target> {
    let one = |target: &rules::Target, status: &rules::Status| Target {
        job: target.job.clone(),
        instance: target.instance.clone(),
        up: status.up,
        last_ms: status.last_scrape_ms,
        duration_ms: status.up.map(|_| status.took.as_secs_f64() * 1e3),
        error: status.last_error.clone().unwrap_or_default(),
    };
    let own = |intake: &rules::Intake| one(intake.target(), intake.status());
    let mut targets: Vec<_> = watch.intakes().iter().map(own).collect();
    let scraped = watch.scraping.scraped();
    targets.extend(
        scraped
            .iter()
            .map(|there| one(&there.target.target, &there.status())),
    );
    let servers = watch.readers.standing().into_iter();
    targets.extend(servers.map(|(job, one)| server(watch, job, one)));
    targets
}

/// A server that a job of ours reads.
fn server(watch: &Watch, job: Job, standing: Standing) -> Target {
    let age_ms = standing.age.map(|age| i64::try_from(age.as_millis()));
    Target {
        job: job.as_str().to_owned(),
        instance: standing.name,
        up: standing.up,
        last_ms: age_ms.map(|age| watch.clock.now_ms() - age.unwrap_or_default()),
        duration_ms: standing.up.map(|_| standing.took.as_secs_f64() * 1e3),
        error: standing.trouble,
    }
}

fn found(watch: &Watch) -> Vec<Found> {
    let known = watch.found();
    let mut found: Vec<_> = known
        .iter()
        .map(|finding| Found {
            kind: finding.kind.as_str().to_owned(),
            present: true,
            detail: finding.what.clone(),
            evidence: finding.evidence.clone(),
        })
        .collect();
    if known.is_empty() {
        return found;
    }
    for kind in [
        Kind::Engine,
        Kind::Compose,
        Kind::Postgres,
        Kind::Redis,
        Kind::Celery,
        Kind::Proxy,
    ] {
        if !known.iter().any(|finding| finding.kind == kind) {
            found.push(Found {
                kind: kind.as_str().to_owned(),
                present: false,
                detail: "none found".into(),
                evidence: match kind {
                    Kind::Engine => watch.socket.display().to_string(),
                    Kind::Compose => "labels of all containers".into(),
                    _ => "all containers, and the host's processes".into(),
                },
            });
        }
    }
    found
}

async fn mail(watch: &Watch) -> MailHealth {
    let config = watch.config();
    let health = watch.alerter.mail_health().await.unwrap_or_default();
    let failing = health.failing_since_ms.map(|since_ms| Fault {
        text: health
            .last_failure
            .as_ref()
            .map_or_else(String::new, |(_, failure)| failure.to_string()),
        since_ms,
    });
    MailHealth {
        configured: health.configured,
        server: config.mail.smarthost.clone(),
        to: config
            .mail
            .to
            .split(',')
            .map(|to| to.trim().to_owned())
            .filter(|to| !to.is_empty())
            .collect(),
        accepted_ms: health.last_success_ms,
        reply: String::new(),
        returned: health
            .last_bounce
            .map(|(since_ms, text)| Fault { text, since_ms }),
        waiting: u64::try_from(health.queue).unwrap_or(u64::MAX),
        failing: failing.or_else(|| {
            let (answer, at_ms) = watch.own.mail_probe()?;
            let text = answer.err().filter(|_| !watch.own.mail_is_up())?;
            Some(Fault {
                text,
                since_ms: at_ms,
            })
        }),
    }
}

fn dependencies(watch: &Watch) -> Vec<Dependency> {
    watch
        .readiness
        .verdict()
        .dependencies
        .into_iter()
        .map(|dependency| Dependency {
            name: dependency.name.to_owned(),
            status: match dependency.status {
                readiness::Status::Ok => Status::Ok,
                readiness::Status::Failing => Status::Down,
                readiness::Status::Unknown => Status::Unknown,
                readiness::Status::Absent => Status::Off,
            },
            latency_ms: dependency.latency_seconds.map(|seconds| seconds * 1e3),
            since_ms: Some(dependency.since_ms),
            detail: dependency.reason,
        })
        .collect()
}
