//! What was found in one log, and how far the log was read.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::config::Severity;
use super::entries::{Entries, readable};
use super::mask::{self, Mask};
use crate::tail::{Batch, Position};

/// Labels of one pattern take so many sets of values.
const MOST_VALUES: usize = 50;
/// What stands for the others.
const OTHER: &str = "other";
/// A label's value is no longer, in letters.
const LONGEST: usize = 100;

/// Counts by the name of a pattern, then by the values of its labels.
type Matches = BTreeMap<String, BTreeMap<Vec<String>, u64>>;

/// The counts of one log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    pub(super) position: Position,
    pub(super) lines: u64,
    pub(super) too_long: u64,
    pub(super) tracebacks: u64,
    /// When a line came last, in milliseconds since 1970.
    pub(super) last_ms: Option<i64>,
    /// By the name of the pattern, then by the values of its labels.
    #[serde(with = "pairs")]
    pub(super) matches: Matches,
    /// The names of each pattern's labels.
    #[serde(skip)]
    pub(super) labels: BTreeMap<String, Vec<String>>,
    /// Of the patterns that fire an alert, how grave that is.
    #[serde(skip)]
    severities: BTreeMap<String, Severity>,
}

/// A pattern, ready to search with.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) name: String,
    pub(super) regex: Regex,
    /// The names of its groups, in order.
    pub(super) labels: Vec<String>,
    pub(super) severity: Severity,
}

impl Search {
    pub(super) fn new(name: &str, regex: Regex, severity: Severity) -> Self {
        let labels = regex.capture_names().flatten().map(str::to_owned).collect();
        Self {
            name: name.to_owned(),
            regex,
            labels,
            severity,
        }
    }
}

impl Tally {
    /// Looks for these from now on. What had other labels is forgotten, and what
    /// has found nothing yet is 0, so that its first is seen.
    pub(super) fn look_for(&mut self, searches: &[Search]) {
        let name = |search: &Search| (search.name.clone(), search.labels.clone());
        self.labels = searches.iter().map(name).collect();
        let grave = searches.iter().filter(|one| one.severity != Severity::None);
        self.severities = grave.map(|one| (one.name.clone(), one.severity)).collect();
        let labels = &self.labels;
        self.matches.retain(|name, found| {
            let wanted = labels.get(name).map(Vec::len);
            found.retain(|values, _| Some(values.len()) == wanted);
            wanted.is_some()
        });
        for search in searches.iter().filter(|search| search.labels.is_empty()) {
            let found = self.matches.entry(search.name.clone()).or_default();
            found.entry(Vec::new()).or_default();
        }
    }

    /// Patterns that fire an alert: the name, how grave that is, and how many lines
    /// fitted, whatever their labels; 0 from the start, so that the first is seen.
    pub(super) fn alarms(&self) -> impl Iterator<Item = (&str, Severity, u64)> {
        self.severities.iter().map(|(name, severity)| {
            let found = self.matches.get(name).into_iter().flatten();
            let count = found.map(|(_, count)| count).sum();
            (name.as_str(), *severity, count)
        })
    }

    /// Counts a batch that came at `now_ms`, and keeps its lines.
    pub(super) fn take(
        &mut self,
        batch: &Batch,
        searches: &[Search],
        mask: &mut Mask,
        entries: &mut Entries,
        now_ms: i64,
    ) {
        for line in batch.lines() {
            self.lines += 1;
            let line = readable(line);
            let masked = mask.line(&line);
            for search in searches {
                self.search(search, &line, &masked);
            }
            self.tracebacks += u64::from(entries.add(&masked, now_ms));
        }
        self.lines += batch.too_long;
        self.too_long += batch.too_long;
        if !batch.text.is_empty() || batch.too_long > 0 {
            self.last_ms = Some(now_ms);
        }
        self.position = batch.position.clone();
    }

    /// Looks into a line; labels are taken from the line without its secrets.
    fn search(&mut self, search: &Search, line: &str, masked: &str) {
        if search.labels.is_empty() {
            if search.regex.is_match(line) {
                self.count(search, Vec::new());
            }
        } else if let Some(found) = search.regex.captures(line) {
            // What is a secret shows in its line alone: `password=` stands before it;
            // or a key began lines ago.
            let found = match masked == line {
                true => Some(found),
                false => search.regex.captures(masked),
            };
            let values = search.labels.iter().map(|label| match &found {
                Some(found) => {
                    let value = found.name(label).map_or("", |value| value.as_str());
                    mask::text(value).chars().take(LONGEST).collect()
                }
                None => mask::MASK.to_owned(),
            });
            self.count(search, values.collect());
        }
    }

    fn count(&mut self, search: &Search, mut values: Vec<String>) {
        let found = self.matches.entry(search.name.clone()).or_default();
        if !found.contains_key(&values) && found.len() >= MOST_VALUES {
            values.fill(OTHER.to_owned());
        }
        *found.entry(values).or_default() += 1;
    }
}

/// Values are no keys of JSON: they are kept as pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Matches;

    pub(super) fn serialize<S: Serializer>(matches: &Matches, out: S) -> Result<S::Ok, S::Error> {
        let of = |found: &BTreeMap<Vec<String>, u64>| -> Vec<(Vec<String>, u64)> {
            found
                .iter()
                .map(|(values, count)| (values.clone(), *count))
                .collect()
        };
        let all: BTreeMap<&String, _> = matches
            .iter()
            .map(|(name, found)| (name, of(found)))
            .collect();
        all.serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Matches, D::Error> {
        let all = BTreeMap::<String, Vec<(Vec<String>, u64)>>::deserialize(from)?;
        Ok(all
            .into_iter()
            .map(|(name, found)| (name, found.into_iter().collect()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(text: &str) -> Batch {
        Batch {
            text: text.as_bytes().to_vec(),
            ..Batch::default()
        }
    }

    #[test]
    fn what_stands_in_a_key_is_counted_and_no_label() {
        let words = Regex::new(r"^(?P<word>\S+)$").unwrap();
        let searches = [Search::new("word", words, Severity::None)];
        let mut tally = Tally::default();
        tally.look_for(&searches);
        let (mut mask, mut entries) = (Mask::default(), Entries::new(10));
        for text in [
            "before\n-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n",
            "q2w5cXk9\n-----END PRIVATE KEY-----\nbehind\n",
        ] {
            tally.take(&batch(text), &searches, &mut mask, &mut entries, 5);
        }
        let found = tally.matches["word"].iter();
        let found: Vec<_> = found.map(|(word, count)| (&*word[0], *count)).collect();
        assert_eq!(found, [("<secret>", 2), ("before", 1), ("behind", 1)]);
    }

    #[test]
    fn patterns_are_counted_by_their_groups_which_are_bounded_and_masked() {
        let search =
            |name: &str, regex: &str| Search::new(name, Regex::new(regex).unwrap(), Severity::None);
        let searches = [
            search("oom", "MemoryError|out of memory"),
            search("task", r"task (?P<task>\S+) failed(?: in (?P<queue>\w+))?"),
        ];
        let (mut tally, mut mask, mut entries) =
            (Tally::default(), Mask::default(), Entries::new(10));
        tally.look_for(&searches);
        let mut take = |tally: &mut Tally, text: &str| {
            tally.take(&batch(text), &searches, &mut mask, &mut entries, 5);
        };
        take(&mut tally, "nothing\n");
        assert_eq!(tally.matches["oom"][&vec![]], 0);
        take(
            &mut tally,
            "MemoryError\ntask a failed in mail\ntask a failed\ntask a failed\n",
        );
        take(
            &mut tally,
            "task token=abcdefgh failed\n\u{fffd} out of memory\n",
        );
        assert_eq!(tally.matches["oom"][&vec![]], 2);
        let task = |tally: &Tally, values: [&str; 2]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            tally.matches["task"].get(&values).copied()
        };
        assert_eq!(task(&tally, ["a", "mail"]), Some(1));
        assert_eq!(task(&tally, ["a", ""]), Some(2));
        assert_eq!(task(&tally, ["token=<secret>", ""]), Some(1));
        let coloured = [search("login", r"password=(?P<given>\S+)")];
        let mut painted = Tally::default();
        painted.look_for(&coloured);
        let line = "\u{1b}[36mpassword\u{1b}[0m=\u{1b}[35mhunter2\u{1b}[0m\n";
        let mut last = Entries::new(10);
        painted.take(&batch(line), &coloured, &mut Mask::default(), &mut last, 5);
        assert_eq!(painted.matches["login"][&vec!["<secret>".to_owned()]], 1);
        assert_eq!(last.all().0[0].lines, ["password=<secret>"]);
        let many: String = (0..100)
            .map(|number| format!("task t{number} failed\n"))
            .collect();
        take(&mut tally, &many);
        assert_eq!(tally.matches["task"].len(), MOST_VALUES + 1);
        assert_eq!(task(&tally, ["other", "other"]), Some(53));
        assert_eq!((tally.lines, tally.last_ms), (107, Some(5)));
        let kept = serde_json::to_string(&tally).unwrap();
        let mut back: Tally = serde_json::from_str(&kept).unwrap();
        assert_eq!(back.matches, tally.matches);
        // The same pattern with other labels begins anew.
        let grave = Search {
            severity: Severity::Critical,
            ..search("task", "task (?P<task>.)")
        };
        back.look_for(std::slice::from_ref(&grave));
        let alarms = |tally: &Tally| -> Vec<(String, Severity, u64)> {
            let alarms = tally.alarms();
            alarms
                .map(|(name, severity, count)| (name.to_owned(), severity, count))
                .collect()
        };
        assert_eq!(alarms(&back), [("task".to_owned(), Severity::Critical, 0)]);
        assert_eq!(alarms(&tally), []);
        assert!(back.matches["task"].is_empty() && !back.matches.contains_key("oom"));
        let text = batch("task a\ntask b\ntask b\n");
        back.take(&text, &[grave], &mut Mask::default(), &mut last, 6);
        assert_eq!(alarms(&back), [("task".to_owned(), Severity::Critical, 3)]);
    }
}
