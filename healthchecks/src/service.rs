//! Health of services that speak no HTTP, answered on their behalf: from what the
//! engine says of their containers, their own check, what they depend on, their
//! heartbeat and their probe.
//!
//! Nothing here asks anybody: an answer is a function of what is known, so that
//! however often it is asked for, no service notices.

mod config;
mod page;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use config::{Config, Declared};
pub use page::write;

/// What the engine says of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Running {
    /// It runs.
    Yes,
    /// It runs and does nothing: it is frozen.
    Paused,
    /// It ended and is started again.
    Restarting,
    /// It ended, or was never started.
    Stopped,
    /// It did what it was there for, and ended well.
    Completed,
}

/// What a container's own check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// It has none.
    None,
    /// Not yet known.
    Starting,
    /// It passes.
    Healthy,
    /// It fails.
    Unhealthy,
}

/// One container of a service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its project; empty without one.
    #[serde(skip)]
    pub project: String,
    /// Its service; the container's own name without compose.
    #[serde(skip)]
    pub service: String,
    /// Whether it runs.
    pub running: Running,
    /// What its own check says.
    pub check: Check,
    /// What that check printed last.
    pub output: String,
    /// Since when it is as it is, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// The services that it depends on.
    #[serde(skip)]
    pub depends_on: Vec<String>,
    /// Those of them that it waits for to end well.
    #[serde(skip)]
    pub awaits: Vec<String>,
}

/// Why a service is not ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It has no container.
    Missing,
    /// Its containers are stopped.
    Stopped,
    /// Its containers are frozen.
    Paused,
    /// Its containers are started again and again.
    Restarting,
    /// Its own check is not through yet.
    Starting,
    /// Its own check fails.
    Unhealthy,
    /// A service that it depends on is not ready.
    Dependency,
    /// Its heartbeat is down.
    Heartbeat,
    /// Its probe fails.
    Probe,
    /// What must hold for it does not: its queue grows, nobody consumes it.
    Evidence,
}

impl Cause {
    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Starting => "starting",
            Self::Unhealthy => "unhealthy",
            Self::Dependency => "dependency",
            Self::Heartbeat => "heartbeat",
            Self::Probe => "probe",
            Self::Evidence => "evidence",
        }
    }
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Its name.
    pub service: String,
    /// Its project; empty without one.
    pub project: String,
    /// Whether a process of it runs.
    pub live: bool,
    /// Whether it can do its work.
    pub ready: bool,
    /// Why not, with what a person may want to know.
    pub reasons: Vec<(Cause, String)>,
    /// Its containers.
    pub containers: Vec<Instance>,
}

/// What is known of everything beside containers.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Whether a heartbeat of this name is down.
    pub heartbeat_down: &'a dyn Fn(&str) -> bool,
    /// Whether a probe of this name is up; nothing while that is not known.
    pub probe_up: &'a dyn Fn(&str) -> Option<bool>,
    /// Whether there is no probe of this name.
    pub no_probe: &'a dyn Fn(&str) -> bool,
    /// Whether an expression holds, or in words why not; nothing while that is not known.
    pub holds: &'a dyn Fn(&str) -> Option<Result<(), String>>,
}

/// All services, found and declared.
#[derive(Debug, Default)]
pub struct Services {
    all: BTreeMap<(String, String), (Declared, Vec<Instance>)>,
}

impl Services {
    /// Puts together what was found and what is declared.
    #[must_use]
    pub fn new(config: &Config, instances: Vec<Instance>) -> Self {
        Self::expecting(config, instances, Vec::new())
    }

    /// The same, where each of `expected`, as service and project, should have
    /// a container.
    #[must_use]
    pub fn expecting(
        config: &Config,
        instances: Vec<Instance>,
        expected: Vec<(String, String)>,
    ) -> Self {
        let mut services = Self::default();
        for key in expected {
            services.all.entry(key).or_default();
        }
        for instance in instances {
            let key = (instance.service.clone(), instance.project.clone());
            services.all.entry(key).or_default().1.push(instance);
        }
        for (name, declared) in &config.services {
            let service = if declared.service.is_empty() {
                name
            } else {
                &declared.service
            };
            let mut keys: Vec<_> = services
                .all
                .keys()
                .filter(|(have, project)| {
                    have == service && (declared.project.is_empty() || *project == declared.project)
                })
                .cloned()
                .collect();
            if keys.is_empty() {
                keys.push((service.clone(), declared.project.clone()));
            }
            for key in keys {
                services.all.entry(key).or_default().0 = declared.clone();
            }
        }
        services.tell_ended_apart();
        services
    }

    /// To have ended well is the work of what others wait for, or of what is
    /// declared so; any other service that ended has stopped.
    fn tell_ended_apart(&mut self) {
        let awaited: BTreeSet<_> = self
            .all
            .values()
            .flat_map(|(_, instances)| instances)
            .flat_map(|instance| {
                let names = instance.awaits.iter().cloned();
                names.map(|name| (name, instance.project.clone()))
            })
            .collect();
        for (key, (declared, instances)) in &mut self.all {
            if declared.one_shot || awaited.contains(key) {
                continue;
            }
            for instance in instances {
                if instance.running == Running::Completed {
                    instance.running = Running::Stopped;
                }
            }
        }
    }

    /// The services of a name: `SERVICE`, `PROJECT.SERVICE`, or a container's name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<(&str, &str)> {
        let found: Vec<_> = self
            .all
            .keys()
            .filter(|(service, project)| {
                service == name
                    || (name
                        .strip_prefix(project.as_str())
                        .and_then(|rest| rest.strip_prefix('.'))
                        == Some(service)
                        && !project.is_empty())
            })
            .collect();
        let found = if found.is_empty() {
            let has =
                |instances: &[Instance]| instances.iter().any(|instance| instance.name == name);
            self.all
                .iter()
                .filter(|(_, (_, instances))| has(instances))
                .map(|(key, _)| key)
                .collect()
        } else {
            found
        };
        found
            .into_iter()
            .map(|(service, project)| (service.as_str(), project.as_str()))
            .collect()
    }

    /// How each one is.
    #[must_use]
    pub fn answers(&self, evidence: Evidence<'_>) -> Vec<Answer> {
        self.all
            .keys()
            .map(|(service, project)| self.answer(service, project, evidence))
            .collect()
    }

    /// How one is.
    #[must_use]
    pub fn answer(&self, service: &str, project: &str, evidence: Evidence<'_>) -> Answer {
        self.judge(service, project, evidence, &mut BTreeSet::new())
    }

    fn judge(
        &self,
        service: &str,
        project: &str,
        evidence: Evidence<'_>,
        seen: &mut BTreeSet<String>,
    ) -> Answer {
        let key = (service.to_owned(), project.to_owned());
        let empty = (Declared::default(), Vec::new());
        let (declared, instances) = self.all.get(&key).unwrap_or(&empty);
        let mut reasons = Vec::new();
        let best = instances
            .iter()
            .map(cause)
            .min_by_key(|cause| cause.as_ref().map(|(cause, _)| *cause as usize + 1));
        match best {
            None if declared.container => {
                reasons.push((Cause::Missing, "it has no container".to_owned()));
            }
            None => {}
            Some(Some(why)) => reasons.push(why),
            Some(None) => {}
        }
        let live = instances
            .iter()
            .any(|instance| matches!(instance.running, Running::Yes | Running::Completed));
        // Of a circle nobody waits for himself.
        seen.insert(service.to_owned());
        let needed = instances
            .iter()
            .flat_map(|instance| &instance.depends_on)
            .chain(&declared.depends_on);
        for needed in needed.collect::<BTreeSet<_>>() {
            if seen.contains(needed) {
                continue;
            }
            let their_project = if self.all.contains_key(&(needed.clone(), project.to_owned())) {
                project
            } else {
                ""
            };
            let theirs = self.judge(needed, their_project, evidence, seen);
            if let Some((cause, _)) = theirs.reasons.first() {
                reasons.push((Cause::Dependency, format!("{needed}: {}", cause.as_str())));
            }
        }
        if !declared.heartbeat.is_empty() && (evidence.heartbeat_down)(&declared.heartbeat) {
            reasons.push((
                Cause::Heartbeat,
                format!("the heartbeat {} is down", declared.heartbeat),
            ));
        }
        if !declared.probe.is_empty() {
            if (evidence.probe_up)(&declared.probe) == Some(false) {
                reasons.push((Cause::Probe, format!("the probe {} fails", declared.probe)));
            } else if (evidence.no_probe)(&declared.probe) {
                let said = format!("there is no probe {}", declared.probe);
                reasons.push((Cause::Probe, said));
            }
        }
        if !declared.ready_when.is_empty()
            && let Some(Err(why)) = (evidence.holds)(&declared.ready_when)
        {
            reasons.push((Cause::Evidence, format!("{} {why}", declared.ready_when)));
        }
        Answer {
            service: service.to_owned(),
            project: project.to_owned(),
            // Of what runs elsewhere nothing else is known.
            live: live || !declared.container && reasons.is_empty(),
            ready: reasons.is_empty(),
            reasons,
            containers: instances.clone(),
        }
    }
}

/// Why a container cannot do its work, if it cannot.
fn cause(instance: &Instance) -> Option<(Cause, String)> {
    let said = |what: &str| {
        let output = instance.output.lines().next().unwrap_or_default();
        let colon = if output.is_empty() { "" } else { ": " };
        format!("{} {what}{colon}{output}", instance.name)
    };
    match (instance.running, instance.check) {
        (Running::Completed, _) | (Running::Yes, Check::None | Check::Healthy) => None,
        (Running::Yes, Check::Starting) => {
            Some((Cause::Starting, said("is not through its check yet")))
        }
        (Running::Yes, Check::Unhealthy) => Some((Cause::Unhealthy, said("fails its check"))),
        (Running::Paused, _) => Some((Cause::Paused, format!("{} is frozen", instance.name))),
        (Running::Restarting, _) => Some((
            Cause::Restarting,
            format!("{} is started again and again", instance.name),
        )),
        (Running::Stopped, _) => Some((Cause::Stopped, format!("{} does not run", instance.name))),
    }
}

#[cfg(test)]
mod tests;
