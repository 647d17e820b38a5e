//! How it was when an alert began: the container's last log lines, the busiest
//! processes, a change of the image. Gathered once, for the mail and the page.
//!
//! A page waits no longer than [`PATIENCE`] for it, and is sent without what was
//! not told by then. Lines are masked before they get here; nothing is stored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alert::{Alert, Set};
use dashboards::fact::{Context, ContextPart};
use exporter::container::Container;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Watch;
use super::facts::Ask;
use super::logs;

/// How long alerts wait for what is asked for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Alerts of one round for which anything is gathered: where all is down at once,
/// the first ones tell enough.
const AT_ONCE: usize = 8;

/// Alerts of which it is known; the oldest give way.
const KEPT: usize = 200;

/// Lines of a log.
const LINES: usize = 12;

/// Of an alert that began longer ago, nobody knows how it was: in milliseconds.
const FRESH_MS: i64 = 120_000;

/// An image is told of for so long after it changed, in milliseconds.
const CHANGED_MS: i64 = 24 * 3_600_000;

/// What was gathered, by the alert's fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Contexts(Mutex<BTreeMap<u64, Context>>);

impl Contexts {
    /// How it was when this alert began, if that was gathered.
    pub(super) fn of(&self, fingerprint: u64) -> Option<Context> {
        let found = self.lock().get(&fingerprint).cloned();
        found.filter(|context| !context.parts.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Context>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have just begun; forgets those that are over.
    fn begun<'a>(&self, alerts: &'a [Alert], now_ms: i64) -> Vec<(u64, &'a Set)> {
        let mut known = self.lock();
        let mut begun = Vec::new();
        for alert in alerts {
            let fingerprint = alert::fingerprint(&alert.labels);
            let fires = alert.ends_at.is_none_or(|ends_ms| ends_ms > now_ms);
            let began_ms = alert.starts_at.unwrap_or(now_ms);
            if !fires {
                known.remove(&fingerprint);
            } else if !known.contains_key(&fingerprint) && began_ms + FRESH_MS > now_ms {
                begun.push((fingerprint, &alert.labels));
            }
        }
        begun.sort_by_key(|(_, labels)| {
            let severity = labels.get("severity").map(String::as_str);
            dashboards::fact::Severity::from_label(severity)
        });
        begun.truncate(AT_ONCE);
        begun
    }

    fn keep(&self, fingerprint: u64, context: Context) {
        let mut known = self.lock();
        known.insert(fingerprint, context);
        while known.len() > KEPT {
            let oldest = known.iter().min_by_key(|(_, context)| context.at_ms);
            let Some(oldest) = oldest.map(|(fingerprint, _)| *fingerprint) else {
                break;
            };
            known.remove(&oldest);
        }
    }
}

/// Gathers what can be known of those alerts that have just begun.
pub(super) async fn gather(watch: &Watch, alerts: &[Alert]) {
    let now_ms = watch.clock.now_ms();
    let begun = watch.contexts.begun(alerts, now_ms);
    if begun.is_empty() {
        return;
    }
    let busiest = busiest(&Ask { watch, now_ms });
    let inventory = watch.containers.inventory();
    let mut found: BTreeMap<u64, Vec<ContextPart>> = BTreeMap::new();
    let mut asked = JoinSet::new();
    for (fingerprint, labels) in begun {
        let container = container_of(labels, &inventory);
        let parts = found.entry(fingerprint).or_default();
        match (logs::about(watch, labels, LINES), container) {
            (Some(lines), _) => parts.extend(log(lines)),
            (None, Some(container)) => {
                let containers = watch.containers.clone();
                let id = container.id.clone();
                asked.spawn(async move {
                    let lines = exporter::logs::last(&containers, &id, LINES).await;
                    (fingerprint, lines)
                });
            }
            (None, None) => {}
        }
        parts.extend(container.and_then(|it| image(it, now_ms)));
        parts.extend(busiest.clone());
    }
    // Those that are not through by then end with the set.
    let _ = timeout(PATIENCE, async {
        while let Some(told) = asked.join_next().await {
            match told {
                Ok((fingerprint, Ok(lines))) => {
                    let parts = found.entry(fingerprint).or_default();
                    parts.splice(0..0, log(lines));
                }
                Ok((_, Err(err))) => tracing::debug!("no last lines of a container: {err}"),
                Err(err) => tracing::debug!("no last lines of a container: {err}"),
            }
        }
    })
    .await;
    for (fingerprint, parts) in found {
        let context = Context {
            at_ms: now_ms,
            parts,
        };
        watch.contexts.keep(fingerprint, context);
    }
}

fn log(lines: Vec<String>) -> Option<ContextPart> {
    (!lines.is_empty()).then(|| ContextPart {
        title: "Last log lines".into(),
        lines,
    })
}

/// The container that the labels name, or one of the service that they name.
fn container_of<'a>(labels: &Set, inventory: &'a [Arc<Container>]) -> Option<&'a Container> {
    let named = inventory.iter().filter_map(|it| {
        let by_name = names(labels, &it.name, &it.project, &it.service)?;
        Some((!by_name, &**it))
    });
    named.min_by_key(|(rank, _)| *rank).map(|(_, it)| it)
}

/// Whether labels name a container: by its own name, or else by its service.
fn names(labels: &Set, name: &str, project: &str, service: &str) -> Option<bool> {
    let is = |label: &str, value: &str| {
        !value.is_empty() && labels.get(label).is_some_and(|it| it == value)
    };
    let here = labels.get("project").is_none_or(|it| it == project);
    match (is("name", name), is("service", service) && here) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

/// That a container is made from another image since a short while.
fn image(container: &Container, now_ms: i64) -> Option<ContextPart> {
    let since_ms = container.image_since_ms?;
    let age_ms = now_ms - since_ms;
    (0..CHANGED_MS).contains(&age_ms).then(|| ContextPart {
        title: "Recent change".into(),
        lines: vec![format!(
            "{} has had the image {} for {}",
            container.name,
            container.image,
            dashboards::time::duration(age_ms)
        )],
    })
}

/// Which processes used the most processor time and memory.
fn busiest(ask: &Ask<'_>) -> Option<ContextPart> {
    let cpu = most(
        ask,
        r#"topk(4, rate(belfry_process_group_cpu_seconds_total[2m]) > 0.01)"#,
        |value| format!("{:.0} %", value * 100.0),
    );
    let memory = most(ask, "topk(4, belfry_process_group_memory_bytes)", |value| {
        format!("{:.0} MiB", value / f64::from(1 << 20))
    });
    let lines = [("Processor", cpu), ("Memory", memory)];
    let lines: Vec<String> = lines
        .into_iter()
        .filter(|(_, told)| !told.is_empty())
        .map(|(what, told)| format!("{what}: {told}"))
        .collect();
    (!lines.is_empty()).then(|| ContextPart {
        title: "Busiest processes".into(),
        lines,
    })
}

fn most(ask: &Ask<'_>, query: &str, words: impl Fn(f64) -> String) -> String {
    let mut found = ask.all(query);
    found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let told = found
        .iter()
        .map(|(labels, value)| format!("{} {}", labels.get("group"), words(*value)));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, severity: &str, starts_ms: i64, ends_ms: Option<i64>) -> Alert {
        let labels = [("alertname", name), ("severity", severity)];
        Alert {
            labels: labels
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            annotations: Set::new(),
            starts_at: Some(starts_ms),
            ends_at: ends_ms,
            generator_url: String::new(),
        }
    }

    fn called(begun: &[(u64, &Set)]) -> Vec<String> {
        begun
            .iter()
            .map(|(_, it)| it["alertname"].clone())
            .collect()
    }

    #[test]
    fn an_alert_is_looked_into_once_while_it_is_fresh_the_worst_first() {
        let contexts = Contexts::default();
        let now_ms = 1_000_000;
        let alerts = [
            alert("note", "info", now_ms, None),
            alert("old", "critical", now_ms - FRESH_MS, None),
            alert("bad", "critical", now_ms - 1, Some(now_ms + 1)),
            alert("over", "critical", now_ms - 1, Some(now_ms)),
        ];
        let begun = contexts.begun(&alerts, now_ms);
        assert_eq!(called(&begun), ["bad", "note"]);
        let bad = begun[0].0;
        contexts.keep(bad, Context::default());
        assert_eq!(called(&contexts.begun(&alerts, now_ms)), ["note"]);
        assert_eq!(contexts.of(bad), None, "nothing was found");
        let ended = [alert("bad", "critical", now_ms - 1, Some(now_ms))];
        contexts.begun(&ended, now_ms);
        assert_eq!(called(&contexts.begun(&alerts, now_ms)), ["bad", "note"]);
    }

    #[test]
    fn of_very_many_alerts_few_are_looked_into_and_few_are_kept() {
        let contexts = Contexts::default();
        let alerts: Vec<_> = (0..1_000)
            .map(|at| alert(&format!("a{at}"), "critical", 0, None))
            .collect();
        assert_eq!(contexts.begun(&alerts, 1).len(), AT_ONCE);
        for at in 0..1_000 {
            let context = Context {
                at_ms: at as i64,
                ..Context::default()
            };
            contexts.keep(at, context);
        }
        assert_eq!(contexts.lock().len(), KEPT);
        assert!(contexts.lock().contains_key(&999));
    }

    #[test]
    fn a_container_is_named_by_its_name_or_its_service() {
        for (labels, wanted) in [
            (&[("name", "shop-web-1")][..], Some(true)),
            (&[("service", "web"), ("project", "shop")], Some(false)),
            (&[("service", "web"), ("project", "other")], None),
            (&[("service", "web")], Some(false)),
            (&[("name", "web")], None),
            (&[("name", ""), ("service", "")], None),
        ] {
            let set = labels
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            let found = names(&set.collect(), "shop-web-1", "shop", "web");
            assert_eq!(found, wanted, "{labels:?}");
        }
        let nothing = Set::from([("name".into(), String::new())]);
        assert_eq!(names(&nothing, "", "", ""), None);
    }
}
