//! Taking typed values out of a located YAML tree, faults on the side.

use std::collections::BTreeMap;
use std::time::Duration;

use settings::{Fault, Kind, Name, Node, Place, parse_duration};

/// No time in a rule is meant to be longer; sums of such times stay far from
/// the end of numbers.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Notes a fault at `place`.
pub(crate) fn fault(faults: &mut Vec<Fault>, place: &Place, message: impl Into<String>) {
    faults.push(Fault {
        place: place.clone(),
        key: String::new(),
        message: message.into(),
    });
}

/// The entries of a mapping; keys outside `known` are faults.
pub(crate) fn entries<'a>(
    node: &'a Node,
    what: &str,
    known: &[&str],
    faults: &mut Vec<Fault>,
) -> &'a [(Name, Node)] {
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Null) {
            let message = format!("{what} must be a mapping, not {}", node.what());
            fault(faults, &node.place, message);
        }
        return &[];
    };
    for (name, _) in entries {
        if !known.contains(&name.text.as_str()) {
            let message = format!(
                "{what} has no field {:?}; it may have {}",
                name.text,
                known.join(", ")
            );
            fault(faults, &name.place, message);
        }
    }
    entries
}

/// The value behind a key.
pub(crate) fn get<'a>(entries: &'a [(Name, Node)], key: &str) -> Option<&'a Node> {
    entries
        .iter()
        .find_map(|(name, node)| (name.text == key).then_some(node))
}

/// The items of a list; nothing at all is an empty list.
pub(crate) fn list<'a>(node: Option<&'a Node>, what: &str, faults: &mut Vec<Fault>) -> &'a [Node] {
    match node.map(|node| (&node.kind, node)) {
        None | Some((Kind::Null, _)) => &[],
        Some((Kind::List(items), _)) => items,
        Some((_, node)) => {
            let message = format!("{what} must be a list, not {}", node.what());
            fault(faults, &node.place, message);
            &[]
        }
    }
}

/// A text; numbers and words are texts too, and nothing is an empty one.
pub(crate) fn text(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Option<String> {
    match &node.kind {
        Kind::Null => Some(String::new()),
        Kind::Scalar { text, .. } => Some(text.clone()),
        Kind::List(_) | Kind::Map(_) => {
            let message = format!("{what} must be a text, not {}", node.what());
            fault(faults, &node.place, message);
            None
        }
    }
}

/// A duration in Prometheus' spelling, as milliseconds.
pub(crate) fn duration(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Option<i64> {
    let text = text(node, what, faults)?;
    let millis = parse_duration(&text)
        .filter(|time| *time <= LONGEST)
        .and_then(|time| i64::try_from(time.as_millis()).ok());
    if millis.is_none() {
        let message = format!("{what} is not a duration: {text:?}; write 30s, 5m or 1h30m");
        fault(faults, &node.place, message);
    }
    millis
}

/// A count.
pub(crate) fn count(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Option<usize> {
    let text = text(node, what, faults)?;
    let number = text.parse().ok();
    if number.is_none() {
        fault(
            faults,
            &node.place,
            format!("{what} is not a whole number: {text:?}"),
        );
    }
    number
}

/// A mapping from texts to texts, with a check of each entry.
pub(crate) fn texts(
    node: Option<&Node>,
    what: &str,
    faults: &mut Vec<Fault>,
    check: impl Fn(&str, &str) -> Result<(), String>,
) -> BTreeMap<String, String> {
    let Some(node) = node else {
        return BTreeMap::new();
    };
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Null) {
            let message = format!("{what} must be a mapping, not {}", node.what());
            fault(faults, &node.place, message);
        }
        return BTreeMap::new();
    };
    let mut out = BTreeMap::new();
    for (name, value) in entries {
        let Some(value_text) = text(value, &name.text, faults) else {
            continue;
        };
        if let Err(message) = check(&name.text, &value_text) {
            fault(faults, &value.place, message);
        }
        out.insert(name.text.clone(), value_text);
    }
    out
}
