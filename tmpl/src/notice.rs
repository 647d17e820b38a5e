//! What notification templates see: the group of alerts, as Alertmanager names it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Field, Kind, List, Map, Object, Value,
    functions::{join, quote_pattern},
    time,
};

type Labels = BTreeMap<String, String>;

/// A group of alerts on its way to a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// The name of the receiver; templates see it quoted as a pattern.
    pub receiver: String,
    /// The alerts, firing and resolved.
    pub alerts: Vec<Alert>,
    /// Why the group is sent now.
    pub reason: String,
    /// The labels that make the group.
    pub group_labels: Labels,
    /// Labels that all its alerts share.
    pub common_labels: Labels,
    /// Annotations that all its alerts share.
    pub common_annotations: Labels,
    /// The labels of the route.
    pub route_labels: Labels,
    /// Where the alerter is reached from outside.
    pub external_url: String,
}

/// One alert of the group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alert {
    /// Whether it has ended.
    pub resolved: bool,
    /// Its labels.
    pub labels: Labels,
    /// What is said about it.
    pub annotations: Labels,
    /// When it began, in milliseconds since 1970.
    pub starts_ms: i64,
    /// When it ended, likewise; none while it fires.
    pub ends_ms: Option<i64>,
    /// Where its rule can be looked at.
    pub generator_url: String,
    /// Its identity in hexadecimal.
    pub fingerprint: String,
}

impl Notice {
    /// The data for [`Template::execute`](crate::Template::execute).
    #[must_use]
    pub fn value(&self) -> Value {
        let alerts: Vec<Value> = self.alerts.iter().map(Alert::value).collect();
        let firing = self.alerts.iter().any(|alert| !alert.resolved);
        let values = vec![
            quote_pattern(&self.receiver).into(),
            status(!firing),
            List::of(&ALERTS, alerts).into(),
            self.reason.as_str().into(),
            pairs_map(&self.group_labels),
            pairs_map(&self.common_labels),
            pairs_map(&self.common_annotations),
            pairs_map(&self.route_labels),
            self.external_url.as_str().into(),
        ];
        Object::of(&DATA, values).into()
    }
}

impl Alert {
    fn value(&self) -> Value {
        let values = vec![
            status(self.resolved),
            pairs_map(&self.labels),
            pairs_map(&self.annotations),
            Value::time_ms(self.starts_ms),
            self.ends_ms.map_or_else(time::zero, Value::time_ms),
            self.generator_url.as_str().into(),
            self.fingerprint.as_str().into(),
        ];
        Object::of(&ALERT, values).into()
    }
}

fn status(resolved: bool) -> Value {
    if resolved { "resolved" } else { "firing" }.into()
}

fn pairs_map(labels: &Labels) -> Value {
    let pairs = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().into()));
    Map::of(&KV, pairs).into()
}

const fn field(name: &'static str, json: &'static str) -> Field {
    Field { name, json }
}

static DATA: Kind = Kind {
    name: "*template.Data",
    fields: &[
        field("Receiver", "receiver"),
        field("Status", "status"),
        field("Alerts", "alerts"),
        field("NotificationReason", "notification_reason"),
        field("GroupLabels", "groupLabels"),
        field("CommonLabels", "commonLabels"),
        field("CommonAnnotations", "commonAnnotations"),
        field("RouteLabels", "routeLabels"),
        field("ExternalURL", "externalURL"),
    ],
    method: |_, _, _| None,
    of_texts: false,
};

static ALERT: Kind = Kind {
    name: "template.Alert",
    fields: &[
        field("Status", "status"),
        field("Labels", "labels"),
        field("Annotations", "annotations"),
        field("StartsAt", "startsAt"),
        field("EndsAt", "endsAt"),
        field("GeneratorURL", "generatorURL"),
        field("Fingerprint", "fingerprint"),
    ],
    method: |_, _, _| None,
    of_texts: false,
};

static ALERTS: Kind = Kind {
    name: "template.Alerts",
    fields: &[],
    method: |alerts, name, given| {
        let wanted = match (name, given) {
            ("Firing", []) => "firing",
            ("Resolved", []) => "resolved",
            _ => return None,
        };
        let Value::List(all) = alerts else {
            return None;
        };
        let of_status = |alert: &&Value| match alert {
            Value::Object(alert) => alert.get("Status").and_then(Value::as_text) == Some(wanted),
            _ => false,
        };
        let alerts = all.items.iter().filter(of_status).cloned().collect();
        Some(Ok(List::of(&SOME_ALERTS, alerts).into()))
    },
    of_texts: false,
};

static SOME_ALERTS: Kind = Kind::plain("[]template.Alert", false);

/// Labels or annotations.
static KV: Kind = Kind {
    name: "template.KV",
    fields: &[],
    method: |map, name, given| {
        let Value::Map(map) = map else { return None };
        match (name, given) {
            ("SortedPairs", []) => Some(Ok(pairs(map))),
            ("Names", []) => Some(Ok(column(&pairs(map), "Name"))),
            ("Values", []) => Some(Ok(column(&pairs(map), "Value"))),
            ("String", []) => Some(Ok(shown(&pairs(map)))),
            ("Remove", [Value::List(names)]) => {
                let gone = |key: &str| names.items.iter().any(|name| name.as_text() == Some(key));
                let kept = map.entries.iter().filter(|(key, _)| !gone(key));
                let kept = kept.map(|(key, value)| (Arc::clone(key), value.clone()));
                Some(Ok(Map::of(&KV, kept).into()))
            }
            ("Remove", _) => Some(Err("wants one list of names".into())),
            _ => None,
        }
    },
    of_texts: true,
};

static PAIRS: Kind = Kind {
    name: "template.Pairs",
    fields: &[],
    method: |list, name, given| match (name, given) {
        ("Names", []) => Some(Ok(column(list, "Name"))),
        ("Values", []) => Some(Ok(column(list, "Value"))),
        ("String", []) => Some(Ok(shown(list))),
        _ => None,
    },
    of_texts: false,
};

static PAIR: Kind = Kind {
    name: "template.Pair",
    fields: &[field("Name", "Name"), field("Value", "Value")],
    method: |_, _, _| None,
    of_texts: false,
};

/// Names or values.
static COLUMN: Kind = Kind {
    name: "[]string",
    fields: &[],
    method: |list, name, given| match (list, name, given) {
        (Value::List(list), "Join", [separator]) => {
            let separator = separator.as_text()?;
            Some(join(separator, &list.items, usize::MAX).map(Value::from))
        }
        _ => None,
    },
    of_texts: true,
};

/// The name of the alert comes first, the others in order.
fn pairs(map: &Map) -> Value {
    let (first, rest): (Vec<_>, Vec<_>) = map
        .entries
        .iter()
        .partition(|(key, _)| &***key == "alertname");
    let pair = |(key, value): (&Arc<str>, &Value)| {
        let values = vec![Value::String(Arc::clone(key)), value.clone()];
        Value::from(Object::of(&PAIR, values))
    };
    List::of(&PAIRS, first.into_iter().chain(rest).map(pair).collect()).into()
}

fn column(pairs: &Value, name: &str) -> Value {
    let Value::List(list) = pairs else {
        return Value::Nil;
    };
    let cell = |pair: &Value| match pair {
        Value::Object(pair) => pair.get(name).cloned(),
        _ => None,
    };
    List::of(&COLUMN, list.items.iter().filter_map(cell).collect()).into()
}

/// As `name=value, name=value`.
fn shown(pairs: &Value) -> Value {
    let (Value::List(names), Value::List(values)) = (column(pairs, "Name"), column(pairs, "Value"))
    else {
        return Value::Nil;
    };
    let both = names.items.iter().zip(&values.items);
    let both = both.map(|(name, value)| {
        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        format!("{}={}", text(name), text(value))
    });
    both.collect::<Vec<_>>().join(", ").into()
}
