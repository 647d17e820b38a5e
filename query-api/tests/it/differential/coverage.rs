//! That the grammar makes everything that both programs know.
//!
//! What 3.x changed on purpose is asked in part only; a query whose answer would
//! differ for one of these reasons is not made:
//!
//! - windows are open on the left: no window or look-back begins on a sample or step;
//! - numbers may be durations, and durations numbers: not written;
//! - deviations of infinities are not a number: asked of finite values;
//! - `rate` and `increase` where samples are missing at a window's start, and the
//!   counter would have been zero between half and 1.1 distances of samples before
//!   the first: counters with gaps stay far above zero, those that fall to nothing
//!   have no gaps;
//! - sums and means are compensated: of exact values, or with a floor;
//! - several series for one match are refused even where a comparison leaves one:
//!   made, and counted as `Listed`;
//! - `.` in expressions matches newlines too: no value has one;
//! - `atan2` drops names: of values that have none;
//! - `topk` of no number is refused: of numbers;
//! - names of any letters in quotes: not written;
//! - a page that breaks in its middle ends all series of its target: 2.42 leaves those
//!   that stand before.

use super::chance::Chance;
use super::grammar::Grammar;

/// Functions that are not asked, and why.
const LEFT_OUT: [(&str, &str); 5] = [
    ("first_over_time", "2.42 does not have it"),
    ("histogram_avg", "2.42 does not have it"),
    (
        "histogram_fraction",
        "2.42 has it for native histograms alone",
    ),
    ("histogram_stddev", "2.42 does not have it"),
    ("histogram_stdvar", "2.42 does not have it"),
];

const OPERATORS: [&str; 16] = [
    " + ", " - ", " * ", " / ", " % ", " ^ ", " atan2 ", " == ", " != ", " > ", " < ", " >= ",
    " <= ", " and ", " or ", " unless ",
];

const MODIFIERS: [&str; 16] = [
    " by ",
    " without ",
    "on(",
    "ignoring(",
    "group_left",
    "group_right",
    " bool ",
    " offset ",
    "offset -",
    "@ start()",
    "@ end()",
    " @ 1",
    "[5m]",
    ":30s]",
    "-(",
    "+(",
];

const AGGREGATIONS: [&str; 13] = [
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "SUM",
];

/// Whether a function or an aggregation of this name is called.
fn calls(query: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    query.match_indices(name).any(|(at, _)| {
        let behind = &query[at + name.len()..];
        let opens = ["(", " by (", " without ("];
        !query[..at].ends_with(is_word) && opens.iter().any(|open| behind.starts_with(open))
    })
}

#[test]
fn every_function_aggregation_and_operator_is_asked_but_for_those_listed() {
    let mut chance = Chance::new(1);
    let queries: Vec<_> = (0..6000)
        .map(|_| Grammar::new(&mut chance, 1_700_000_000_000).query().text)
        .collect();
    for name in promql::functions().chain(AGGREGATIONS) {
        let count = queries.iter().filter(|query| calls(query, name)).count();
        match LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
            Some((_, why)) => assert_eq!(count, 0, "{name} is asked, though {why}"),
            None => assert!(count >= 5, "{name} is asked {count} times"),
        }
    }
    for (name, _) in LEFT_OUT {
        assert!(promql::functions().any(|known| known == name), "{name}");
    }
    for word in OPERATORS.iter().chain(&MODIFIERS) {
        let count = queries.iter().filter(|query| query.contains(word)).count();
        assert!(count >= 5, "{word:?} is asked {count} times");
    }
}
