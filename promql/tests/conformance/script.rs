//! Reading the files: what is loaded, what is asked, what is expected.

use std::collections::BTreeMap;

use exposition::{Labels, LabelsBuilder};

use crate::values::{self, duration_ms};

pub(crate) enum Statement {
    Clear,
    Load(BTreeMap<Labels, Vec<(i64, f64)>>),
    Eval(Eval),
}

/// The times of a question, in milliseconds.
pub(crate) enum Times {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) fails: bool,
    pub(crate) ordered: bool,
    pub(crate) no_warnings: bool,
    pub(crate) no_infos: bool,
    /// What is said of errors, warnings and infos: the kind and how to know it.
    pub(crate) notes: Vec<(String, Says)>,
    pub(crate) scalar: Option<f64>,
    pub(crate) string: Option<String>,
    /// Start and step of the samples of a range vector.
    pub(crate) matrix: Option<(i64, i64)>,
    pub(crate) series: Vec<(Labels, Vec<Option<f64>>)>,
}

pub(crate) enum Says {
    Anything,
    Exactly(String),
    Matching(regex::Regex),
}

pub(crate) struct Eval {
    pub(crate) times: Times,
    pub(crate) query: String,
    pub(crate) expected: Expected,
}

pub(crate) struct Script;

impl Script {
    /// All statements with their lines, from 1. A comment is an empty line and
    /// so ends a block.
    pub(crate) fn read(text: &str) -> Vec<(usize, Statement)> {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .map(|line| if line.starts_with('#') { "" } else { line })
            .collect();
        let mut statements = Vec::new();
        let mut at = 0;
        while at < lines.len() {
            let (head, line) = (lines[at], at + 1);
            at += 1;
            if head.is_empty() {
                continue;
            }
            let block = at;
            if head != "clear" {
                while at < lines.len() && !lines[at].is_empty() {
                    at += 1;
                }
            }
            statements.push((line, statement(head, &lines[block..at])));
        }
        statements
    }
}

fn statement(head: &str, block: &[&str]) -> Statement {
    let (word, rest) = head.split_once(char::is_whitespace).unwrap_or((head, ""));
    match word {
        "clear" => Statement::Clear,
        "load" | "load_with_nhcb" => Statement::Load(load(duration_ms(rest.trim()), block)),
        _ => Statement::Eval(eval(word, rest.trim(), block)),
    }
}

fn load(step: i64, block: &[&str]) -> BTreeMap<Labels, Vec<(i64, f64)>> {
    let mut loaded = BTreeMap::new();
    for line in block {
        let (labels, rest) = labels(line);
        let samples = values::sequence(rest)
            .into_iter()
            .zip((0..).step_by(usize::try_from(step).unwrap()))
            .filter_map(|(value, time)| Some((time, value?)));
        loaded.insert(labels, samples.collect());
    }
    loaded
}

fn eval(word: &str, rest: &str, block: &[&str]) -> Eval {
    let mut expected = Expected {
        fails: word == "eval_fail",
        ordered: word == "eval_ordered",
        ..Expected::default()
    };
    let mut next = rest;
    let mut take = || {
        let (word, behind) = next.trim().split_once(char::is_whitespace).unwrap();
        next = behind;
        word
    };
    let times = if take() == "instant" {
        take();
        Times::Instant(duration_ms(take()))
    } else {
        let mut after_word = || {
            take();
            duration_ms(take())
        };
        let (start, end, step) = (after_word(), after_word(), after_word());
        Times::Range { start, end, step }
    };
    let query = next.trim().to_owned();
    for line in block {
        expect(line, &mut expected);
    }
    Eval {
        times,
        query,
        expected,
    }
}

fn expect(line: &str, expected: &mut Expected) {
    let Some(rest) = line.strip_prefix("expect ") else {
        if let Some(value) = values::number(line) {
            expected.scalar = Some(value);
        } else {
            let (labels, rest) = labels(line);
            expected.series.push((labels, values::sequence(rest)));
        }
        return;
    };
    let (kind, rest) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
    match kind {
        "ordered" => expected.ordered = true,
        "no_warn" => expected.no_warnings = true,
        "no_info" => expected.no_infos = true,
        "string" => {
            let quote = rest.chars().next().unwrap();
            expected.string = Some(rest.trim_matches(quote).to_owned());
        }
        "range" => {
            let words: Vec<&str> = rest.split_whitespace().collect();
            expected.matrix = Some((duration_ms(words[2]), duration_ms(words[6])));
        }
        _ => {
            expected.fails |= kind == "fail";
            let says = if let Some(message) = rest.trim().strip_prefix("msg:") {
                Says::Exactly(message.trim().to_owned())
            } else if let Some(pattern) = rest.trim().strip_prefix("regex:") {
                Says::Matching(regex::Regex::new(pattern.trim()).unwrap())
            } else {
                Says::Anything
            };
            expected.notes.push((kind.to_owned(), says));
        }
    }
}

/// `name{a="b"} rest`
fn labels(line: &str) -> (Labels, &str) {
    let name_end = line.find(['{', ' ', '\t']).unwrap_or(line.len());
    let mut builder = LabelsBuilder::default();
    builder.set(exposition::NAME, &line[..name_end]);
    let mut rest = &line[name_end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let (name, behind) = rest.split_once('=').unwrap();
            let quoted = behind.trim_start().strip_prefix('"').unwrap();
            let end = quoted.find('"').unwrap();
            builder.set(name.trim().trim_matches('"'), &quoted[..end]);
            rest = quoted[end + 1..].trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        rest = &rest[1..];
    }
    (builder.build(), rest.trim())
}
