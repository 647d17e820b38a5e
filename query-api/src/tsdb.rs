//! `/status/tsdb`: where series come from.

use std::collections::HashMap;

use exposition::{Labels, NAME};
use serde_json::{Value, json};
use series::{Matcher, Op, Store};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;

/// So many series are asked for their oldest sample: asking all would unpack
/// everything there is.
const ASKED: usize = 64;

/// A label's name and value, and how many series have both.
struct Pair<'a> {
    name: &'a str,
    value: &'a str,
    series: usize,
}

/// Counts of series, names, values and pairs, the largest first.
pub(crate) fn status(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let limit = match ask.form.get("limit") {
        "" => 10,
        text => match text.parse::<usize>() {
            Ok(limit @ 1..=10_000) => limit,
            Ok(10_001..) => return refused("limit must not exceed 10000"),
            _ => return refused("limit must be a positive number"),
        },
    };
    let store = &api.source.store;
    let newest = store.newest(&[], i64::MIN, i64::MAX);
    ask.go_on()?;
    let mut pairs: HashMap<_, Pair<'_>> = HashMap::new();
    for label in newest.iter().flat_map(|one| one.labels.shared()) {
        // Series share their labels, so where they are tells them apart.
        let (name, value) = label.pair();
        let pair = pairs.entry(label.address()).or_insert(Pair {
            name,
            value,
            series: 0,
        });
        pair.series += 1;
    }
    let mut names: HashMap<&str, (usize, usize)> = HashMap::new();
    for pair in pairs.values() {
        let (values, bytes) = names.entry(pair.name).or_default();
        *values += 1;
        *bytes += (pair.name.len() + pair.value.len()) * pair.series;
    }
    let by_metric = pairs.values().filter(|pair| pair.name == NAME);
    let by_metric = by_metric.map(|pair| (pair.value.to_owned(), pair.series));
    let by_pair = pairs.values();
    let by_pair = by_pair.map(|pair| (format!("{}={}", pair.name, pair.value), pair.series));
    let values = names.iter().map(|(name, of)| ((*name).to_owned(), of.0));
    let bytes = names.iter().map(|(name, of)| ((*name).to_owned(), of.1));
    Answer::json(&json!({
        "headStats": {
            "numSeries": newest.len(),
            "numLabelPairs": pairs.len(),
            "chunkCount": store.chunks(),
            "minTime": oldest(store, newest.iter().map(|one| &one.labels)),
            "maxTime": newest.iter().map(|one| one.time_ms).max().unwrap_or(i64::MIN),
        },
        "seriesCountByMetricName": largest(by_metric, limit),
        "labelValueCountByLabelName": largest(values, limit),
        "memoryInBytesByLabelName": largest(bytes, limit),
        "seriesCountByLabelValuePair": largest(by_pair, limit),
    }))
}

fn refused(what: &str) -> Result<Answer, Failure> {
    Err(Failure::BadData(what.into()))
}

fn largest(counts: impl Iterator<Item = (String, usize)>, limit: usize) -> Vec<Value> {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_unstable_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
    counts.truncate(limit);
    let rows = counts.into_iter();
    rows.map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}

/// The oldest sample of some series, spread over all.
fn oldest<'a>(store: &Store, series: impl ExactSizeIterator<Item = &'a Labels>) -> i64 {
    let apart = (series.len() / ASKED).max(1);
    let mut oldest = i64::MAX;
    for labels in series.step_by(apart) {
        let exactly = labels
            .iter()
            .map(|(name, value)| Matcher::new(name, Op::Equal, value));
        let Ok(exactly) = exactly.collect::<Result<Vec<_>, _>>() else {
            continue;
        };
        let ended = store.visit(&exactly, i64::MIN, i64::MAX, |_, samples| {
            oldest = oldest.min(samples.first().map_or(i64::MAX, |sample| sample.0));
            // One is enough, and others with more labels would cost as much.
            Err(())
        });
        let _ = ended;
    }
    oldest
}
