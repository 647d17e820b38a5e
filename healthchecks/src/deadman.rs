//! Heartbeats out: URLs that are asked for while, and only while, the watch
//! works, so that somebody elsewhere notices when it does not.
//!
//! Nothing here sends anything: it says what is to be sent, and keeps what came of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use exposition::{Kind, Writer};
use serde::Serialize;

use crate::probe::{Module, Outcome};

settings::section! {
    /// A URL elsewhere that is told that the watch works.
    pub struct Deadman {
        /// Its name.
        pub name: String = "outside".to_owned(),
        /// The URL, such as https://hc-ping.com/UUID; it is not shown anywhere.
        pub url: settings::Secret = settings::Secret::default(),
        /// How often.
        pub interval: Duration = Duration::from_secs(60),
        /// What becomes of it when the watch does not work.
        pub on_failure: OnFailure = OnFailure::Fail,
        /// The authorities that are trusted, PEM. Empty: those of the system.
        pub ca_file: std::path::PathBuf = std::path::PathBuf::new(),
    }
}

settings::choice! {
    /// What becomes of a dead-man URL when the watch does not work.
    pub enum OnFailure {
        /// The URL with /fail behind it is asked for, with the reason in its body.
        Fail = "fail",
        /// It is not asked for.
        Silent = "silent",
    }
}

/// What is wrong with these, as (key, message).
#[must_use]
pub fn faults(all: &[Deadman]) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let url = one.url.expose();
        let key = format!("heartbeat.out[{at}]");
        if !url.starts_with("http://") && !url.starts_with("https://") {
            faults.push((
                format!("{key}.url"),
                "a URL of http or https is wanted".to_owned(),
            ));
        }
        if one.interval < Duration::from_secs(1) {
            faults.push((
                format!("{key}.interval"),
                "less than 1s would be noise".to_owned(),
            ));
        }
        if all[..at].iter().any(|other| other.name == one.name) {
            faults.push((
                format!("{key}.name"),
                format!("another is named {:?}", one.name),
            ));
        }
    }
    faults
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where to.
    pub url: settings::Secret,
    /// How.
    pub module: Module,
}

impl Deadman {
    /// What to send when `failing` is why the watch does not work; nothing if it is to be silent.
    #[must_use]
    pub fn message(&self, failing: Option<&str>) -> Option<Message> {
        let mut module = Module::default();
        module.http.tls_config.ca_file.clone_from(&self.ca_file);
        let url = match (failing, self.on_failure) {
            (None, _) => self.url.clone(),
            (Some(_), OnFailure::Silent) => return None,
            (Some(why), OnFailure::Fail) => {
                "POST".clone_into(&mut module.http.method);
                why.clone_into(&mut module.http.body);
                let (path, query) = self
                    .url
                    .expose()
                    .split_once('?')
                    .unwrap_or((self.url.expose(), ""));
                let mark = if query.is_empty() { "" } else { "?" };
                settings::Secret::new(format!("{}/fail{mark}{query}", path.trim_end_matches('/')))
            }
        };
        Some(Message { url, module })
    }
}

/// What came of each.
#[derive(Debug, Default)]
pub struct Told(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failing: Option<String>,
    known: bool,
    each: BTreeMap<String, View>,
}

/// What came of one, as it is shown. Times in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct View {
    /// Whether it took what it was told last; nothing before the first time.
    pub taken: Option<bool>,
    /// Why it did not.
    pub reason: String,
    /// When it last took something.
    pub taken_ms: Option<i64>,
    /// How often it took something, and how often not.
    pub counts: [u64; 2],
}

impl Told {
    /// Takes note of whether the watch works.
    pub fn working(&self, failing: Option<String>) {
        let mut inner = self.lock();
        inner.known = true;
        inner.failing = failing;
    }

    /// Takes note of what came of a message.
    pub fn came(&self, name: &str, outcome: &Outcome, now_ms: i64) {
        let mut inner = self.lock();
        let view = inner.each.entry(name.to_owned()).or_default();
        view.taken = Some(outcome.failure.is_none());
        view.reason = outcome
            .failure
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        if outcome.failure.is_none() {
            view.taken_ms = Some(now_ms);
            view.counts[0] += 1;
        } else {
            view.counts[1] += 1;
        }
    }

    /// Forgets those that are not configured any more.
    pub fn retain(&self, all: &[Deadman]) {
        self.lock()
            .each
            .retain(|name, _| all.iter().any(|one| one.name == *name));
    }

    /// Each by name.
    #[must_use]
    pub fn views(&self) -> BTreeMap<String, View> {
        self.lock().each.clone()
    }

    /// Moves all times: the wall clock was stepped.
    pub fn shift(&self, delta_ms: i64) {
        for view in self.lock().each.values_mut() {
            view.taken_ms = view.taken_ms.map(|taken_ms| taken_ms + delta_ms);
        }
    }

    /// Adds the samples to a page.
    pub fn write(&self, page: &mut Writer) {
        let inner = self.lock();
        if !inner.known || inner.each.is_empty() {
            return;
        }
        let working = f64::from(u8::from(inner.failing.is_none()));
        page.single(
            "belfry_deadman_working",
            "Whether the watch works, so that a success is told.",
            Kind::Gauge,
            working,
        );
        page.family(
            "belfry_deadman_up",
            "Whether the URL took what it was told last.",
            Kind::Gauge,
        );
        for (name, view) in &inner.each {
            if let Some(taken) = view.taken {
                page.sample(&[("deadman", name)], f64::from(u8::from(taken)));
            }
        }
        page.family(
            "belfry_deadman_last_success_timestamp_seconds",
            "When the URL last took something.",
            Kind::Gauge,
        );
        for (name, view) in &inner.each {
            if let Some(taken_ms) = view.taken_ms {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
                page.sample(&[("deadman", name)], taken_ms as f64 / 1e3);
            }
        }
        page.family(
            "belfry_deadman_pings_total",
            "What was told.",
            Kind::Counter,
        );
        for (name, view) in &inner.each {
            for (result, count) in ["taken", "failed"].iter().zip(view.counts) {
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
                page.sample(&[("deadman", name), ("result", result)], count as f64);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadman(url: &str, on_failure: OnFailure) -> Deadman {
        Deadman {
            url: settings::Secret::new(url),
            on_failure,
            ..Deadman::default()
        }
    }

    #[test]
    fn success_and_failure_go_to_the_right_places() {
        for (url, failing, expected) in [
            (
                "https://hc.example/u",
                None,
                Some(("https://hc.example/u", "GET", "")),
            ),
            (
                "https://hc.example/u",
                Some("mail"),
                Some(("https://hc.example/u/fail", "POST", "mail")),
            ),
            (
                "https://hc.example/u/?a=b",
                Some("mail"),
                Some(("https://hc.example/u/fail?a=b", "POST", "mail")),
            ),
        ] {
            let message = deadman(url, OnFailure::Fail).message(failing);
            let told = message.as_ref().map(|told| {
                (
                    told.url.expose(),
                    &*told.module.http.method,
                    &*told.module.http.body,
                )
            });
            assert_eq!(told, expected);
        }
        assert_eq!(
            deadman("http://x/", OnFailure::Silent).message(Some("mail")),
            None
        );
    }

    #[test]
    fn faults_are_told_and_no_url_is() {
        let all = [
            deadman("ftp://secret", OnFailure::Fail),
            deadman("http://x", OnFailure::Fail),
        ];
        let told = faults(&all);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            !format!("{told:?} {all:?}").contains("secret\""),
            "{told:?}"
        );
    }
}
