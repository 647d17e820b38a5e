//! One server that is read at its own pace: the last good reading, and how the
//! latest one went.
//!
//! A reading that fails leaves the last good one in place for a while, so that
//! one lost answer makes no hole; then it is dropped, since old values that
//! look like new ones are worse than none. Nothing here does I/O.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use exposition::Kind;

use crate::pieces::{Pieces, Sheet};
use crate::tallies::lock;

/// What is known of one server.
#[derive(Debug)]
pub(crate) struct Served {
    /// What kind of server it is, for messages and names of families.
    kind: &'static str,
    /// Its name in messages.
    pub(crate) name: String,
    /// The label `instance` of its samples; empty for none.
    pub(crate) instance: Arc<str>,
    /// How long a good reading is served.
    keep: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    good: Option<(Vec<Arc<Pieces>>, Instant)>,
    latest: Option<Latest>,
    readings: u64,
    failures: u64,
}

/// Why a reading failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trouble {
    /// In words, without anything that the server said.
    pub(crate) text: String,
    /// Whether the server lets nobody in without a password, and none is set.
    pub(crate) wants_password: bool,
}

impl From<&str> for Trouble {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            wants_password: false,
        }
    }
}

/// How the latest reading went.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    /// Why it failed.
    pub(crate) trouble: Option<Trouble>,
    /// When it ended.
    pub(crate) ended: Instant,
    /// How long it took.
    pub(crate) took: Duration,
    /// Readings so far, this one included.
    pub(crate) readings: u64,
}

impl Served {
    /// A server that has not been read yet.
    pub(crate) fn new(
        kind: &'static str,
        name: String,
        instance: Arc<str>,
        keep: Duration,
    ) -> Self {
        Self {
            kind,
            name,
            instance,
            keep,
            state: Mutex::default(),
        }
    }

    /// Puts down how a reading went. A failure is logged when it is the first,
    /// and a success when it ends failures.
    pub(crate) fn put(
        &self,
        read: Result<Vec<Arc<Pieces>>, Trouble>,
        began: Instant,
        now: Instant,
    ) {
        let mut state = self.state();
        let failed_before = matches!(&state.latest, Some(latest) if latest.trouble.is_some());
        state.readings += 1;
        let trouble = match read {
            Ok(pieces) => {
                state.good = Some((pieces, now));
                None
            }
            Err(err) => {
                state.failures += 1;
                Some(err)
            }
        };
        match &trouble {
            Some(trouble) if !failed_before => {
                let text = &trouble.text;
                tracing::warn!(server = self.name, "cannot read {}: {text}", self.kind);
            }
            None if failed_before => {
                tracing::info!(server = self.name, "{} can be read again", self.kind);
            }
            _ => {}
        }
        state.latest = Some(Latest {
            trouble,
            ended: now,
            took: now.saturating_duration_since(began),
            readings: state.readings,
        });
    }

    /// How the latest reading went; nothing before the first has ended.
    pub(crate) fn latest(&self) -> Option<Latest> {
        self.state().latest.clone()
    }

    /// The last good reading; nothing when it is too old.
    pub(crate) fn good(&self, now: Instant) -> Vec<Arc<Pieces>> {
        match &self.state().good {
            Some((pieces, at)) if now.saturating_duration_since(*at) <= self.keep => pieces.clone(),
            _ => Vec::new(),
        }
    }

    /// Writes our own families about how reading goes.
    pub(crate) fn encode(&self, sheet: &mut Sheet, now: Instant) {
        let state = self.state();
        let Some(latest) = &state.latest else { return };
        let name = |what: &str| format!("belfry_{}_{what}", self.kind);
        let failed = latest.trouble.is_some();
        sheet.single(
            &name("read_success"),
            "Whether the latest reading of the server worked.",
            Kind::Gauge,
            f64::from(u8::from(!failed)),
        );
        sheet.single(
            &name("read_duration_seconds"),
            "How long the latest reading of the server took.",
            Kind::Gauge,
            latest.took.as_secs_f64(),
        );
        sheet.single(
            &name("read_failures_total"),
            "Readings of the server that failed.",
            Kind::Counter,
            state.failures as f64,
        );
        if let Some((_, at)) = &state.good {
            sheet.single(
                &name("read_age_seconds"),
                "How old the reading is that this page is made of; families beside these end when it is too old.",
                Kind::Gauge,
                now.saturating_duration_since(*at).as_secs_f64(),
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_reading_outlives_failures_for_a_while_only() {
        let served = Served::new("redis", "one".into(), "".into(), Duration::from_secs(45));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(served.latest().is_none() && served.good(start).is_empty());
        let pieces = vec![Arc::new(Pieces::default())];
        served.put(Ok(pieces), start, start);
        served.put(Err("gone".into()), at(15), at(16));
        let latest = served.latest().unwrap();
        assert_eq!(latest.trouble, Some("gone".into()));
        assert_eq!((latest.took, latest.readings), (Duration::from_secs(1), 2));
        assert_eq!(served.good(at(45)).len(), 1);
        assert!(served.good(at(46)).is_empty());
        let mut sheet = Sheet::new(&"".into());
        served.encode(&mut sheet, at(20));
        let page = crate::pieces::page(&[Arc::new(sheet.finish())]);
        for line in [
            "belfry_redis_read_success 0\n",
            "belfry_redis_read_duration_seconds 1\n",
            "belfry_redis_read_failures_total 1\n",
            "belfry_redis_read_age_seconds 20\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
    }
}
