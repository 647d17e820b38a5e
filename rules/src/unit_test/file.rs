//! The test file as it is written.

use std::collections::BTreeMap;

use exposition::Labels;
use settings::{Fault, Name, Node, Place};

use super::notation;
use crate::Source;
use crate::file::fields::{duration, entries, fault, get, list, text, texts};

/// A whole test file.
#[derive(Debug, Default)]
pub(super) struct TestFile {
    pub(super) rule_files: Vec<(String, Place)>,
    pub(super) interval_ms: i64,
    pub(super) order: Vec<String>,
    pub(super) fuzzy: bool,
    pub(super) tests: Vec<Test>,
}

/// One test: series, and what is expected of them.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) interval_ms: i64,
    pub(super) start_ms: i64,
    pub(super) external_labels: BTreeMap<String, String>,
    pub(super) external_url: String,
    pub(super) series: Vec<(Labels, Vec<Option<f64>>)>,
    pub(super) alerts: Vec<AlertCase>,
    pub(super) exprs: Vec<ExprCase>,
}

/// What fires under a name at a time.
#[derive(Debug)]
pub(super) struct AlertCase {
    pub(super) place: Place,
    pub(super) at_ms: i64,
    pub(super) name: String,
    pub(super) expected: Vec<(alert::Set, alert::Set)>,
}

/// What an expression yields at a time.
#[derive(Debug)]
pub(super) struct ExprCase {
    pub(super) place: Place,
    pub(super) at_ms: i64,
    pub(super) expr: String,
    pub(super) expected: Vec<(Labels, f64)>,
}

type Fields<'a> = &'a [(Name, Node)];

/// Reads a test file; all faults at once.
pub(super) fn read(source: &Source) -> Result<TestFile, Vec<Fault>> {
    let root = settings::parse(&source.name, &source.text).map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let known = [
        "rule_files",
        "evaluation_interval",
        "group_eval_order",
        "fuzzy_compare",
        "tests",
    ];
    let top = entries(&root, "a test file", &known, &mut faults);
    let interval_ms = time(top, "evaluation_interval", &mut faults).unwrap_or(60_000);
    let mut file = TestFile {
        interval_ms: interval_ms.max(1),
        fuzzy: words(top, "fuzzy_compare", &mut faults) == "true",
        ..TestFile::default()
    };
    for node in list(get(top, "rule_files"), "rule_files", &mut faults) {
        let pattern = text(node, "a rule file", &mut faults);
        file.rule_files
            .extend(pattern.map(|pattern| (pattern, node.place.clone())));
    }
    for node in list(
        get(top, "group_eval_order"),
        "group_eval_order",
        &mut faults,
    ) {
        file.order.extend(text(node, "a group", &mut faults));
    }
    for node in list(get(top, "tests"), "tests", &mut faults) {
        file.tests.push(test(node, file.interval_ms, &mut faults));
    }
    if faults.is_empty() {
        Ok(file)
    } else {
        Err(faults)
    }
}

fn test(node: &Node, default_ms: i64, faults: &mut Vec<Fault>) -> Test {
    let known = [
        "name",
        "interval",
        "start_timestamp",
        "input_series",
        "alert_rule_test",
        "promql_expr_test",
        "external_labels",
        "external_url",
    ];
    let fields = entries(node, "a test", &known, faults);
    let mut out = Test {
        name: words(fields, "name", faults),
        interval_ms: time(fields, "interval", faults)
            .unwrap_or(default_ms)
            .max(1),
        start_ms: start(fields, faults),
        external_labels: any_texts(fields, "external_labels", faults),
        external_url: words(fields, "external_url", faults),
        series: Vec::new(),
        alerts: Vec::new(),
        exprs: Vec::new(),
    };
    for node in list(get(fields, "input_series"), "input_series", faults) {
        let fields = entries(node, "a series", &["series", "values"], faults);
        let labels = notation::labels(&words(fields, "series", faults));
        let values = notation::values(&words(fields, "values", faults));
        match (labels, values) {
            (Ok(labels), Ok(values)) => out.series.push((labels, values)),
            (Err(message), _) | (_, Err(message)) => fault(faults, &node.place, message),
        }
    }
    for node in list(get(fields, "alert_rule_test"), "alert_rule_test", faults) {
        out.alerts.push(alert_case(node, faults));
    }
    for node in list(get(fields, "promql_expr_test"), "promql_expr_test", faults) {
        out.exprs.push(expr_case(node, faults));
    }
    out
}

fn alert_case(node: &Node, faults: &mut Vec<Fault>) -> AlertCase {
    let known = ["eval_time", "alertname", "exp_alerts"];
    let fields = entries(node, "an alert test", &known, faults);
    let name = words(fields, "alertname", faults);
    let mut expected = Vec::new();
    for node in list(get(fields, "exp_alerts"), "exp_alerts", faults) {
        let known = ["exp_labels", "exp_annotations"];
        let fields = entries(node, "an expected alert", &known, faults);
        let mut labels = any_texts(fields, "exp_labels", faults);
        labels.insert("alertname".into(), name.clone());
        labels.retain(|_, value| !value.is_empty());
        expected.push((labels, any_texts(fields, "exp_annotations", faults)));
    }
    if name.is_empty() {
        fault(faults, &node.place, "an alert test needs an alertname");
    }
    AlertCase {
        place: node.place.clone(),
        at_ms: time(fields, "eval_time", faults).unwrap_or(0),
        name,
        expected,
    }
}

fn expr_case(node: &Node, faults: &mut Vec<Fault>) -> ExprCase {
    let fields = entries(
        node,
        "an expression test",
        &["expr", "eval_time", "exp_samples"],
        faults,
    );
    let mut expected = Vec::new();
    for node in list(get(fields, "exp_samples"), "exp_samples", faults) {
        let fields = entries(node, "an expected sample", &["labels", "value"], faults);
        let labels = notation::labels(&words(fields, "labels", faults));
        let value = words(fields, "value", faults);
        let number = notation::number(if value.is_empty() { "0" } else { &value });
        match (labels, number) {
            (Ok(labels), Some(number)) => expected.push((labels, number)),
            (Err(message), _) => fault(faults, &node.place, message),
            (_, None) => fault(faults, &node.place, format!("not a number: {value:?}")),
        }
    }
    ExprCase {
        place: node.place.clone(),
        at_ms: time(fields, "eval_time", faults).unwrap_or(0),
        expr: words(fields, "expr", faults),
        expected,
    }
}

/// A time in seconds since 1970, or as RFC 3339 has it.
fn start(fields: Fields<'_>, faults: &mut Vec<Fault>) -> i64 {
    let Some(node) = get(fields, "start_timestamp") else {
        return 0;
    };
    let written = text(node, "start_timestamp", faults).unwrap_or_default();
    if let Ok(seconds) = written.parse::<f64>() {
        return (seconds * 1000.0).round() as i64;
    }
    match written.parse::<jiff::Timestamp>() {
        Ok(time) => time.as_millisecond(),
        Err(err) => {
            fault(faults, &node.place, format!("not a time: {err}"));
            0
        }
    }
}

fn words(fields: Fields<'_>, key: &str, faults: &mut Vec<Fault>) -> String {
    get(fields, key)
        .and_then(|node| text(node, key, faults))
        .unwrap_or_default()
}

fn time(fields: Fields<'_>, key: &str, faults: &mut Vec<Fault>) -> Option<i64> {
    get(fields, key).and_then(|node| duration(node, key, faults))
}

fn any_texts(fields: Fields<'_>, key: &str, faults: &mut Vec<Fault>) -> BTreeMap<String, String> {
    texts(get(fields, key), key, faults, |_, _| Ok(()))
}
