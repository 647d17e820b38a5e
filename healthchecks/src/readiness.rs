//! Readiness: whether Belfry can do its work now, dependency by dependency.
//!
//! Whoever uses a dependency reports how it went; nothing is asked when
//! `/health/ready` is served, so probing it cannot hurt.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// How a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It did its part when it was last used.
    Ok,
    /// It did not.
    Failing,
    /// It has not been used yet.
    Unknown,
    /// There is none, or none is configured.
    Absent,
}

impl Status {
    /// The word that stands for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Unknown => "unknown",
            Self::Absent => "absent",
        }
    }
}

/// One dependency, as it was last reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependency {
    /// Its name.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// Whether Belfry is not ready without it.
    pub required: bool,
    /// How long its last answer took, in seconds.
    pub latency_seconds: Option<f64>,
    /// When it became so, in milliseconds since 1970.
    pub since_ms: i64,
    /// When it was last reported.
    pub checked_ms: i64,
    /// Why it is so; empty when there is nothing to say.
    pub reason: String,
}

/// How a dependency was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it is.
    pub status: Status,
    /// How long it took to answer.
    pub latency: Option<Duration>,
    /// Why it is so.
    pub reason: String,
}

impl Report {
    /// It answered.
    #[must_use]
    pub fn ok(latency: Option<Duration>) -> Self {
        Self {
            status: Status::Ok,
            latency,
            reason: String::new(),
        }
    }

    /// It did not, because of `reason`.
    #[must_use]
    pub fn failing(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Failing,
            latency: None,
            reason: reason.into(),
        }
    }

    /// There is none, because of `reason`.
    #[must_use]
    pub fn absent(reason: impl Into<String>) -> Self {
        Self {
            status: Status::Absent,
            latency: None,
            reason: reason.into(),
        }
    }
}

/// All dependencies of the process.
#[derive(Debug, Default)]
pub struct Readiness {
    dependencies: Mutex<BTreeMap<&'static str, Dependency>>,
}

/// The answer of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether every required dependency is there.
    pub ready: bool,
    /// Each dependency, by name.
    pub dependencies: Vec<Dependency>,
}

impl Readiness {
    /// Adds a dependency that has not been used yet.
    pub fn expect(&self, name: &'static str, required: bool, now_ms: i64) {
        let unknown = Dependency {
            name,
            status: Status::Unknown,
            required,
            latency_seconds: None,
            since_ms: now_ms,
            checked_ms: now_ms,
            reason: "not used yet".into(),
        };
        self.lock().insert(name, unknown);
    }

    /// Takes note of how a dependency was found. One that was never expected is ignored.
    pub fn report(&self, name: &'static str, report: Report, now_ms: i64) {
        if let Some(dependency) = self.lock().get_mut(name) {
            if dependency.status != report.status {
                dependency.since_ms = now_ms;
            }
            dependency.status = report.status;
            dependency.latency_seconds = report.latency.map(|latency| latency.as_secs_f64());
            dependency.reason = report.reason;
            dependency.checked_ms = now_ms;
        }
    }

    /// Moves all times: the wall clock was stepped by `delta_ms`.
    pub fn shift(&self, delta_ms: i64) {
        for dependency in self.lock().values_mut() {
            dependency.since_ms += delta_ms;
            dependency.checked_ms += delta_ms;
        }
    }

    /// How it all stands.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let dependencies: Vec<_> = self.lock().values().cloned().collect();
        let ready = dependencies.iter().all(|dependency| {
            !dependency.required || matches!(dependency.status, Status::Ok | Status::Absent)
        });
        Verdict {
            ready,
            dependencies,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Dependency>> {
        self.dependencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line per dependency, for people and for `curl`.
impl std::fmt::Display for Verdict {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if self.ready { "ready\n" } else { "not ready\n" })?;
        for dependency in &self.dependencies {
            write!(
                out,
                "{:<10} {:<8}",
                dependency.name,
                dependency.status.as_str()
            )?;
            if let Some(latency) = dependency.latency_seconds {
                write!(out, " {:.1} ms", latency * 1e3)?;
            }
            if !dependency.reason.is_empty() {
                write!(out, " {}", dependency.reason)?;
            }
            out.write_char('\n')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_dependency_decides() {
        for (status, required, ready) in [
            (Status::Ok, true, true),
            (Status::Absent, true, true),
            (Status::Unknown, true, false),
            (Status::Failing, true, false),
            (Status::Failing, false, true),
        ] {
            let readiness = Readiness::default();
            readiness.expect("mail", required, 0);
            readiness.report(
                "mail",
                Report {
                    status,
                    latency: None,
                    reason: String::new(),
                },
                1,
            );
            assert_eq!(readiness.verdict().ready, ready, "{status:?} {required}");
        }
    }

    #[test]
    fn since_is_when_the_status_changed() {
        let readiness = Readiness::default();
        readiness.expect("engine", false, 10);
        readiness.report("engine", Report::failing("connection refused"), 20);
        readiness.report("engine", Report::failing("connection refused"), 30);
        let dependency = readiness.verdict().dependencies.remove(0);
        assert_eq!((dependency.since_ms, dependency.checked_ms), (20, 30));
        readiness.report("engine", Report::ok(Some(Duration::from_millis(2))), 40);
        readiness.shift(1000);
        let dependency = readiness.verdict().dependencies.remove(0);
        assert_eq!(
            (dependency.since_ms, dependency.reason.as_str()),
            (1040, "")
        );
        assert_eq!(dependency.latency_seconds, Some(0.002));
    }

    #[test]
    fn the_text_form_names_each_dependency() {
        let readiness = Readiness::default();
        readiness.expect("state", true, 0);
        readiness.expect("mail", true, 0);
        readiness.report("state", Report::ok(Some(Duration::from_millis(3))), 1);
        readiness.report("mail", Report::failing("connection refused"), 1);
        assert_eq!(
            readiness.verdict().to_string(),
            "not ready\nmail       failing  connection refused\nstate      ok       3.0 ms\n"
        );
    }
}
