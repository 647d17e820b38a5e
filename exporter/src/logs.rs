//! Logs of named services: patterns become counters, and the last lines are
//! kept in memory, masked, for those who look into a failure.
//!
//! [`Logs::run`] follows each log on a task of its own; [`Logs::page`] and
//! [`Logs::recent`] tell what is known and never wait. Lines are never written
//! to the disk.

mod config;
mod entries;
mod last;
mod mask;
mod tally;

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

use exposition::Kind;
use tokio_util::sync::CancellationToken;

pub use config::{Config, Pattern, Service, Severity};
pub use entries::Entry;
pub use last::last;

use crate::container::Containers;
use crate::fleet::{Fleet, Member, Standing, Wanted};
use crate::pieces::{self, Sheet};
use crate::tail::{Batch, KEEP, Source, Tail};
use crate::tallies::{Tallies, lock};
use entries::Entries;
use mask::Mask;
use tally::{Search, Tally};

/// The last lines of a service.
#[derive(Debug, Clone)]
pub struct Recent {
    /// Its name, the label `instance` of its series.
    pub name: String,
    /// Its container; empty where it has none.
    pub container: String,
    /// Its unit; empty where it has none.
    pub unit: String,
    /// The last entries, the oldest first.
    pub entries: Vec<Entry>,
    /// Tracebacks that came before these.
    pub tracebacks: Vec<Entry>,
}

/// Follows logs. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Logs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    containers: Containers,
    /// What was written to a container's output before is not counted, in
    /// nanoseconds since 1970.
    since_ns: i64,
    fleet: Fleet<Setup>,
    tallies: Tallies<Tally>,
    kept: Mutex<Vec<(String, Arc<Mutex<Entries>>)>>,
}

/// What the task of one log needs to know.
#[derive(Debug, PartialEq)]
struct Setup {
    service: Service,
    source: Source,
    lines: usize,
}

/// A line as it is kept: without its secrets.
#[must_use]
pub fn masked(line: &str) -> String {
    Mask::default().line(line).into_owned()
}

impl Logs {
    /// Follows nothing yet. Output of containers is read through `containers`.
    #[must_use]
    pub fn new(config: Config, containers: Containers) -> Self {
        let now_ns = jiff::Timestamp::now().as_nanosecond();
        let logs = Self(Arc::new(Shared {
            containers,
            since_ns: i64::try_from(now_ns).unwrap_or(i64::MAX),
            fleet: Fleet::new("log"),
            tallies: Tallies::default(),
            kept: Mutex::default(),
        }));
        logs.configure(config);
        logs
    }

    /// Goes on with the counts and places of an earlier process, as
    /// [`Logs::snapshot`] wrote them; before [`Logs::run`].
    ///
    /// # Errors
    /// Says why they cannot be read.
    pub fn restore(&self, snapshot: &str) -> Result<(), String> {
        self.0.tallies.restore(snapshot)
    }

    /// The counts with the places behind them, without any line; nothing
    /// without a log.
    #[must_use]
    pub fn snapshot(&self) -> Option<String> {
        self.0.tallies.snapshot()
    }

    /// Puts another configuration in force.
    pub fn configure(&self, config: Config) {
        let (lines, journal) = (config.lines as usize, config.journal);
        let wanted = config.services.into_iter().map(|service| {
            let name = service.label();
            Wanted {
                instance: name.as_str().into(),
                name,
                keep: KEEP,
                found: false,
                setup: Setup {
                    source: service.spot().source(&journal),
                    service,
                    lines,
                },
            }
        });
        self.0.fleet.set(wanted.collect());
    }

    /// Follows every log until `stop`. Returns only then.
    pub async fn run(&self, stop: CancellationToken) {
        let follow = |member: Arc<Member<Setup>>| {
            let shared = Arc::clone(&self.0);
            async move { shared.follow(&member).await }
        };
        self.0.fleet.run(stop, follow).await;
    }

    /// Whether no log is followed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.fleet.members().is_empty()
    }

    /// How reading each goes.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        self.0.fleet.standing()
    }

    /// What was counted, as exposition text.
    pub async fn page(&self) -> String {
        let now = Instant::now();
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let mut all = Vec::new();
        for member in self.0.fleet.members() {
            let mut sheet = Sheet::new(&member.served.instance);
            if member.served.latest().is_some()
                && let Some(tally) = self.0.tallies.get(&member.served.name)
            {
                encode(&lock(&tally), now_ms, &mut sheet);
            }
            member.served.encode(&mut sheet, now);
            all.push(Arc::new(sheet.finish()));
        }
        pieces::page(&all)
    }

    /// The last lines of every service that is followed, masked.
    #[must_use]
    pub fn recent(&self) -> Vec<Recent> {
        let members = self.0.fleet.members();
        let recent = members.iter().map(|member| {
            let service = &member.setup.service;
            let entries = self.0.entries(&member.served.name);
            let (entries, tracebacks) = entries
                .map(|entries| lock(&entries).all())
                .unwrap_or_default();
            Recent {
                name: member.served.name.clone(),
                container: service.container.clone(),
                unit: service.unit.clone(),
                entries,
                tracebacks,
            }
        });
        recent.collect()
    }
}

impl Shared {
    fn entries(&self, name: &str) -> Option<Arc<Mutex<Entries>>> {
        let kept = lock(&self.kept);
        let found = kept.iter().find(|(known, _)| known == name);
        found.map(|(_, entries)| Arc::clone(entries))
    }

    /// Fresh entries for a log; forgets those of logs that are not `wanted`.
    fn fresh_entries(
        &self,
        name: &str,
        lines: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Arc<Mutex<Entries>> {
        let entries = Arc::new(Mutex::new(Entries::new(lines)));
        let mut kept = lock(&self.kept);
        kept.retain(|(known, _)| known != name && wanted(known));
        kept.push((name.to_owned(), Arc::clone(&entries)));
        entries
    }

    /// Follows one log, for ever.
    async fn follow(&self, member: &Member<Setup>) {
        let Setup {
            service,
            source,
            lines,
        } = &member.setup;
        let name = &member.served.name;
        let members = self.fleet.members();
        let wanted = |name: &str| members.iter().any(|member| member.served.name == name);
        let (tally, read) = self.tallies.follow(name, wanted);
        let entries = self.fresh_entries(name, *lines, wanted);
        let position = read.then(|| lock(&tally).position.clone());
        let tail = Tail::new(source, position, self.since_ns, &self.containers);
        let patterns = service.patterns.iter();
        // The configuration was checked; what does not compile is left out.
        let searches: Vec<Search> = patterns
            .filter_map(|one| Some(Search::new(&one.name, one.compile().ok()?, one.severity)))
            .collect();
        lock(&tally).look_for(&searches);
        let mut mask = Mask::default();
        let take = |batch: &Batch, now_ms| {
            let mut entries = lock(&entries);
            lock(&tally).take(batch, &searches, &mut mask, &mut entries, now_ms);
        };
        tail.follow(&self.fleet, member, take).await;
    }
}

/// Reads the bytes as lines of a log, searches them, and keeps the last, for those who
/// throw any at it.
///
/// # Panics
/// If more is kept than is allowed, or a secret is.
pub fn any(bytes: &[u8]) {
    // Made once: that takes longer than all else here.
    static WORDS: LazyLock<Option<Search>> = LazyLock::new(|| {
        let words = regex::Regex::new("(?P<first>[^ ]+) (?P<second>[^ ]+)").ok()?;
        Some(Search::new("words", words, Severity::None))
    });
    let Some(words) = &*WORDS else { return };
    let searches = std::slice::from_ref(words);
    let (mut tally, mut mask, mut entries) = (Tally::default(), Mask::default(), Entries::new(20));
    tally.look_for(searches);
    let mut text = bytes.to_vec();
    text.extend_from_slice(b"\nnext password=Zq7only4here\n");
    let batch = Batch {
        text,
        ..Batch::default()
    };
    tally.take(&batch, searches, &mut mask, &mut entries, 0);
    entries.check();
    let (kept, tracebacks) = entries.all();
    let lines = kept.iter().chain(&tracebacks).flat_map(|one| &one.lines);
    assert!(lines.clone().all(|line| !line.contains("Zq7only4here")));
    let mut sheet = Sheet::new(&"any".into());
    encode(&tally, 0, &mut sheet);
    let page = pieces::page(&[Arc::new(sheet.finish())]);
    assert!(!page.contains("Zq7only4here"), "{page}");
    pieces::check(&page);
}

fn encode(tally: &Tally, now_ms: i64, sheet: &mut Sheet) {
    for (name, help, value) in [
        ("belfry_log_lines_total", "Lines of the log.", tally.lines),
        (
            "belfry_log_too_long_lines_total",
            "Lines of the log that were too long to be read.",
            tally.too_long,
        ),
        (
            "belfry_log_tracebacks_total",
            "Tracebacks in the log.",
            tally.tracebacks,
        ),
    ] {
        sheet.single(name, help, Kind::Counter, value as f64);
    }
    if let Some(last_ms) = tally.last_ms {
        let age = (now_ms - last_ms).max(0) as f64 / 1000.0;
        let help = "How long ago the last line of the log came.";
        sheet.single("belfry_log_line_age_seconds", help, Kind::Gauge, age);
    }
    let help =
        "Lines of the log that fit a pattern whose severity is configured, whatever their labels.";
    let mut family = sheet.family("belfry_log_alarm_matches_total", help, Kind::Counter);
    for (pattern, severity, count) in tally.alarms() {
        let labels = [("pattern", pattern), ("severity", severity.as_str())];
        family.sample(&labels, count as f64);
    }
    let help = "Lines of the log that fit a pattern.";
    let mut family = sheet.family("belfry_log_matches_total", help, Kind::Counter);
    for (pattern, found) in &tally.matches {
        let names = tally.labels.get(pattern).into_iter().flatten();
        for (values, count) in found {
            let mut labels = vec![("pattern", pattern.as_str())];
            let values = values.iter().map(String::as_str);
            labels.extend(names.clone().map(String::as_str).zip(values));
            family.sample(&labels, *count as f64);
        }
    }
}
