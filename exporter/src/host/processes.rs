//! Processes: how many in which state, and what those of one name use together.
//!
//! All of them are read at most every 25 seconds: it is the dearest thing that
//! the host is asked.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};
use crate::tallies::lock;

const SELDOM: Duration = Duration::from_secs(25);
/// More processes than this are not read.
const MOST: usize = 50_000;
/// Names whose processor time is remembered; the rest is one group.
const MOST_NAMES: usize = 500;
/// Groups that are shown, of those that have most memory and of those that used
/// most processor time.
const SHOWN: usize = 10;
/// What the groups that are not shown have together.
const REST: &str = "(others)";

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Known {
    at: Option<Instant>,
    summary: Summary,
    /// Ticks of each process when it was read last, by its number and start.
    ticks: HashMap<(u32, u64), u64>,
    /// Ticks by name, those of processes that have ended too.
    used: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Summary {
    pids: u64,
    threads: u64,
    states: BTreeMap<char, u64>,
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Group {
    processes: u64,
    bytes: u64,
}

#[derive(Debug, PartialEq)]
struct Process {
    name: String,
    state: char,
    threads: u64,
    ticks: u64,
    start: u64,
    pages: u64,
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let limit = |files: &mut Files<'_>, file: &str| files.proc(file).ok()?.trim().parse().ok();
    let most = [
        (
            "node_processes_max_processes",
            "The highest number that a process can have.",
            limit(files, "sys/kernel/pid_max"),
        ),
        (
            "node_processes_max_threads",
            "Threads that there can be.",
            limit(files, "sys/kernel/threads-max"),
        ),
    ];
    let mut known = lock(&machine.processes);
    if known.at.is_none_or(|at| at.elapsed() >= SELDOM) {
        let all = all(files)?;
        known.take(all);
        known.at = Some(Instant::now());
    }
    for (name, help, value) in most {
        if let Some(value) = value {
            page.single(name, help, Kind::Gauge, value);
        }
    }
    known.encode(page);
    Ok(())
}

fn all(files: &mut Files<'_>) -> Result<Vec<(u32, Process)>, Failure> {
    let folder = files.roots.proc.clone();
    let entries = std::fs::read_dir(&folder)
        .map_err(|err| Failure::Unreadable(folder.display().to_string(), err))?;
    let mut all = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that ended meanwhile has no file.
        let text = files.proc(&format!("{pid}/stat"));
        if let Some(process) = text.ok().and_then(|text| parse(&text)) {
            all.push((pid, process));
        }
        if all.len() == MOST {
            break;
        }
    }
    Ok(all)
}

/// Reads a line of `/proc/<pid>/stat`. A name may hold anything, also what ends one.
fn parse(text: &str) -> Option<Process> {
    let (head, rest) = text.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Counted from the state, which is the third field.
    let number = |field: usize| -> Option<u64> { words.get(field - 3)?.parse().ok() };
    Some(Process {
        name: name.chars().filter(|letter| !letter.is_control()).collect(),
        state: words.first()?.chars().next()?,
        ticks: number(14)?.saturating_add(number(15)?),
        threads: number(20)?,
        start: number(22)?,
        pages: number(24)?,
    })
}

impl Known {
    fn take(&mut self, all: Vec<(u32, Process)>) {
        let page = rustix::param::page_size() as u64;
        let mut summary = Summary::default();
        // Series of the usual states do not come and go.
        summary
            .states
            .extend("DIRSTZ".chars().map(|state| (state, 0)));
        let mut ticks = HashMap::with_capacity(all.len());
        for (pid, process) in all {
            summary.pids += 1;
            summary.threads = summary.threads.saturating_add(process.threads);
            *summary.states.entry(process.state).or_default() += 1;
            let key = (pid, process.start);
            let before = self.ticks.get(&key).copied().unwrap_or_default();
            ticks.insert(key, process.ticks);
            let known = self.used.contains_key(&process.name) || self.used.len() < MOST_NAMES;
            let name = if known { process.name } else { REST.to_owned() };
            let used = self.used.entry(name.clone()).or_default();
            *used = used.saturating_add(process.ticks.saturating_sub(before));
            let group = summary.groups.entry(name).or_default();
            group.processes += 1;
            let bytes = process.pages.saturating_mul(page);
            group.bytes = group.bytes.saturating_add(bytes);
        }
        if self.used.len() >= MOST_NAMES {
            // Names of which nothing runs make room for those that come.
            self.used
                .retain(|name, _| summary.groups.contains_key(name));
        }
        self.ticks = ticks;
        self.summary = summary;
    }

    /// The names that are shown, the greatest of each kind.
    fn shown(&self) -> Vec<&str> {
        let groups = self.summary.groups.iter();
        let mut names = greatest(groups.map(|(name, group)| (name.as_str(), group.bytes)));
        let used = self.used.iter();
        names.extend(greatest(used.map(|(name, ticks)| (name.as_str(), *ticks))));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn encode(&self, page: &mut Writer) {
        let summary = &self.summary;
        page.single(
            "node_processes_pids",
            "Processes.",
            Kind::Gauge,
            summary.pids as f64,
        );
        page.single(
            "node_processes_threads",
            "Threads of all processes.",
            Kind::Gauge,
            summary.threads as f64,
        );
        page.family("node_processes_state", "Processes by state.", Kind::Gauge);
        for (state, count) in &summary.states {
            page.sample(&[("state", &state.to_string())], *count as f64);
        }
        let shown = self.shown();
        let group = |name: &str| summary.groups.get(name).copied().unwrap_or_default();
        let rest = |value: &dyn Fn(&str) -> f64| -> f64 {
            let names = self.used.keys().map(String::as_str);
            names.filter(|name| !shown.contains(name)).map(value).sum()
        };
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        type Value<'a> = &'a dyn Fn(&str) -> f64;
        let families: [(&str, &str, Kind, Value<'_>); 3] = [
            (
                "belfry_process_group_memory_bytes",
                "Memory of the processes of one name; what they share counts for each.",
                Kind::Gauge,
                &|name| group(name).bytes as f64,
            ),
            (
                "belfry_process_group_processes",
                "Processes of one name.",
                Kind::Gauge,
                &|name| group(name).processes as f64,
            ),
            (
                "belfry_process_group_cpu_seconds_total",
                "Processor time of processes of one name while they were seen.",
                Kind::Counter,
                &|name| self.used.get(name).copied().unwrap_or_default() as f64 / per_second,
            ),
        ];
        for (family, help, kind, value) in families {
            page.family(family, help, kind);
            for name in &shown {
                page.sample(&[("group", name)], value(name));
            }
            if kind == Kind::Gauge {
                page.sample(&[("group", REST)], rest(value));
            }
        }
    }
}

/// The names with the most; what stands for those that have none of their own
/// takes no place among them.
fn greatest<'a>(all: impl Iterator<Item = (&'a str, u64)>) -> Vec<&'a str> {
    let mut named: Vec<_> = all.filter(|(name, _)| *name != REST).collect();
    named.sort_by_key(|(_, much)| std::cmp::Reverse(*much));
    named.truncate(SHOWN);
    named.into_iter().map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, ticks: u64, start: u64) -> Process {
        let text =
            format!("7 ({name}) S 1 7 7 0 -1 4 1 0 0 0 {ticks} 0 0 0 20 0 3 0 {start} 9999 5 0 0");
        parse(&text).unwrap()
    }

    #[test]
    fn a_name_may_hold_what_ends_one() {
        let process = line("a) R (b\n", 12, 99);
        assert_eq!(process.name, "a) R (b");
        assert_eq!((process.state, process.threads, process.pages), ('S', 3, 5));
        assert_eq!((process.ticks, process.start), (12, 99));
        for wrong in ["", "7 (x", "7 (x) ", "7 (x) S 1", "x) S 1 2"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn time_of_processes_that_ended_stays_with_their_name() {
        let mut known = Known::default();
        known.take(vec![(7, line("web", 100, 1)), (8, line("web", 50, 2))]);
        known.take(vec![(7, line("web", 130, 1)), (8, line("web", 5, 3))]);
        assert_eq!(known.used["web"], 185);
        known.take(vec![]);
        assert_eq!(known.used["web"], 185);
        assert_eq!(known.ticks.len(), 0);
    }

    #[test]
    fn names_without_number_become_one_group() {
        let mut known = Known::default();
        let all = (0..5000).map(|at| (at, line(&format!("p{at}"), u64::from(at), 1)));
        known.take(all.collect());
        assert_eq!(known.used.len(), MOST_NAMES + 1);
        let mut page = Writer::new();
        known.encode(&mut page);
        let page = page.finish();
        assert!(
            page.matches("\nbelfry_process_group_").count() <= 3 * (2 * SHOWN + 1),
            "{page}"
        );
        assert!(page.contains("node_processes_pids 5000\n"));
        assert!(page.contains("node_processes_state{state=\"S\"} 5000\n"));
        assert!(page.contains("node_processes_state{state=\"R\"} 0\n"));
        // All the time of these is the others'; as many names are shown as before.
        let all = (0..5000).map(|at| (at, line(&format!("p{at}"), u64::from(at) + 7, 1)));
        known.take(all.collect());
        assert!(known.used[REST] > known.used["p499"]);
        let names = ["p490", "p491", "p498", "p499"];
        let shown = known.shown();
        assert!(names.iter().all(|name| shown.contains(name)), "{shown:?}");
    }

    #[test]
    fn names_of_which_nothing_runs_make_room_for_others() {
        let many =
            |letter: char| (0..600).map(move |at| (at, line(&format!("{letter}{at:03}"), 5, 1)));
        let mut known = Known::default();
        known.take(many('a').collect());
        assert!(known.used.contains_key("a499") && !known.used.contains_key("a500"));
        // They find every place taken, and what is gone is forgotten.
        known.take(many('b').chain([(9999, line("a007", 9, 1))]).collect());
        assert_eq!(known.used.keys().collect::<Vec<_>>(), [REST, "a007"]);
        assert_eq!(known.summary.groups[REST].processes, 600);
        known.take(many('b').chain([(9999, line("a007", 9, 1))]).collect());
        assert!(known.used.contains_key("a007") && known.used.contains_key("b100"));
        assert!(known.used.len() <= MOST_NAMES + 1);
    }
}
