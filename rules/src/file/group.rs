//! From the YAML tree of a rule file to its groups and rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use settings::{Fault, Node, Place};

use super::fields::{count, duration, entries, fault, get, list, text, texts};
use super::spelled::spelled;
use super::{GroupSpec, RuleKind, RuleSpec, Source};

const GROUP_FIELDS: [&str; 6] = [
    "name",
    "interval",
    "query_offset",
    "limit",
    "labels",
    "rules",
];
const RULE_FIELDS: [&str; 7] = [
    "record",
    "alert",
    "expr",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
];

/// Reads the tree of one file.
pub(super) fn file(
    source: &Source,
    root: &Node,
    groups: &mut Vec<GroupSpec>,
    faults: &mut Vec<Fault>,
) {
    let file: Arc<str> = source.name.as_str().into();
    let mut names = Vec::new();
    let top = entries(root, "a rule file", &["groups"], faults);
    for node in list(get(top, "groups"), "groups", faults) {
        let Some(group) = group(source, &file, node, faults) else {
            continue;
        };
        if names.contains(&group.name) {
            let message = format!("the group name {:?} stands twice in this file", group.name);
            fault(faults, &node.place, message);
        }
        names.push(group.name.clone());
        groups.push(group);
    }
}

fn group(
    source: &Source,
    file: &Arc<str>,
    node: &Node,
    faults: &mut Vec<Fault>,
) -> Option<GroupSpec> {
    let fields = entries(node, "a group", &GROUP_FIELDS, faults);
    let name = get(fields, "name").and_then(|node| text(node, "name", faults));
    let name = name.filter(|name| !name.is_empty());
    if name.is_none() {
        fault(faults, &node.place, "a group needs a name");
    }
    let interval_ms = get(fields, "interval").and_then(|node| duration(node, "interval", faults));
    let query_offset_ms =
        get(fields, "query_offset").and_then(|node| duration(node, "query_offset", faults));
    let limit = get(fields, "limit").and_then(|node| count(node, "limit", faults));
    let labels = texts(get(fields, "labels"), "labels", faults, |name, _| {
        label_name(name)
    });
    let rules = list(get(fields, "rules"), "rules", faults)
        .iter()
        .filter_map(|node| rule(source, node, &labels, faults))
        .collect();
    Some(GroupSpec {
        file: Arc::clone(file),
        name: name?,
        // Prometheus reads an interval of 0 as "not set".
        interval_ms: interval_ms.filter(|interval| *interval > 0),
        query_offset_ms: query_offset_ms.unwrap_or(0),
        limit: limit.unwrap_or(0),
        rules,
    })
}

fn rule(
    source: &Source,
    node: &Node,
    group_labels: &BTreeMap<String, String>,
    faults: &mut Vec<Fault>,
) -> Option<RuleSpec> {
    let fields = entries(node, "a rule", &RULE_FIELDS, faults);
    let given = |key: &str| get(fields, key);
    let mut named = |key: &str| {
        given(key)
            .and_then(|node| text(node, key, faults))
            .filter(|name| !name.is_empty())
    };
    let (record, alert) = (named("record"), named("alert"));
    let is_alert = alert.is_some();
    if is_alert == record.is_some() {
        let message = if is_alert {
            "a rule is either a record or an alert, not both"
        } else {
            "a rule needs a record or an alert name"
        };
        fault(faults, &node.place, message);
    }
    if let (Some(record), Some(at)) = (&record, given("record"))
        && record.contains(['{', '}'])
    {
        let message = format!("braces in a record name: {record:?}; labels belong under labels");
        fault(faults, &at.place, message);
    }
    let expr = expression(source, node, given("expr"), faults);
    let own = texts(given("labels"), "labels", faults, |name, value| {
        label_name(name)?;
        if is_alert { template(value) } else { Ok(()) }
    });
    let mut labels = group_labels.clone();
    labels.extend(own);
    let kind = if is_alert {
        let mut lasting = |key| given(key).and_then(|node| duration(node, key, faults));
        RuleKind::Alert {
            for_ms: lasting("for").unwrap_or(0),
            keep_firing_ms: lasting("keep_firing_for").unwrap_or(0),
            annotations: texts(
                given("annotations"),
                "annotations",
                faults,
                |name, value| {
                    label_name(name)?;
                    template(value)
                },
            ),
        }
    } else {
        for key in ["for", "keep_firing_for", "annotations"] {
            if let Some(node) = given(key) {
                let message = format!("{key} has no meaning in a recording rule");
                fault(faults, &node.place, message);
            }
        }
        RuleKind::Record
    };
    let (text, expr) = expr?;
    Some(RuleSpec {
        name: alert.or(record)?,
        text,
        expr,
        labels,
        kind,
        place: node.place.clone(),
        expr_place: given("expr").map_or_else(|| node.place.clone(), |at| at.place.clone()),
    })
}

fn expression(
    source: &Source,
    rule: &Node,
    node: Option<&Node>,
    faults: &mut Vec<Fault>,
) -> Option<(String, promql::Expr)> {
    let written = node.and_then(|node| text(node, "expr", faults).map(|text| (node, text)));
    let Some((node, text)) = written.filter(|(_, text)| !text.trim().is_empty()) else {
        fault(faults, &rule.place, "a rule needs an expr");
        return None;
    };
    match promql::parse(&text) {
        Ok(expr) => Some((text.trim().to_owned(), expr)),
        Err(err) => {
            let (place, what) = inside(source, node, &err);
            fault(faults, &place, format!("bad expr: {what}"));
            None
        }
    }
}

/// Where in the file an error in an expression is; told in words where the
/// spelling of the scalar hides it.
fn inside(source: &Source, node: &Node, err: &promql::ParseError) -> (Place, String) {
    // Lines that YAML folds into one are lines again, so the error has to be found anew.
    let spelled = spelled(&source.text, &node.place);
    let found = spelled.and_then(|spelled| {
        let err = promql::parse(&spelled.text).err()?;
        Some((spelled.place(err.start), err.what))
    });
    match (&node.place, found) {
        (Place::Line { file, .. }, Some(((line, column), what))) => {
            let file = Arc::clone(file);
            (Place::Line { file, line, column }, what)
        }
        (place, _) => (
            place.clone(),
            format!(
                "{} (line {}, column {} of it)",
                err.what, err.line, err.column
            ),
        ),
    }
}

fn label_name(name: &str) -> Result<(), String> {
    match name {
        "" => Err("a label needs a name".into()),
        "__name__" => Err("__name__ cannot be set as a label".into()),
        _ => Ok(()),
    }
}

fn template(text: &str) -> Result<(), String> {
    tmpl::rules::check(text).map_err(|err| format!("bad template: {err}"))
}
