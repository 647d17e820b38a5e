//! Prometheus' answers about rules and targets, read back into our views.

use std::sync::Arc;

use exposition::Labels;
use jiff::Timestamp;
use query_api::{
    Alert, Alertmanagers, DroppedTarget, Health, Metadata, Rule, RuleGroup, RuleKind, RuleState,
    Source, Target, Targets,
};
use serde_json::Value;

use crate::support::Server;

const PATHS: [&str; 7] = [
    "/api/v1/rules",
    "/api/v1/alerts",
    "/api/v1/targets",
    "/api/v1/metadata",
    "/api/v1/alertmanagers",
    "/api/v1/targets/metadata?match_target={job=\"page\"}",
    "/api/v1/status/flags",
];

/// Fields of newer versions.
pub(super) fn known_differences() -> Vec<&'static str> {
    vec!["hostname", "serverTime", "GOMEMLIMIT"]
}

/// The names of all fields, those of lists' rows once for each row.
pub(super) fn fields(value: &Value, above: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{above}{name}");
                fields(value, &format!("{path}."), out);
                out.push(path);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| fields(row, above, out)),
        _ => {}
    }
}

/// Answers, each taken once. Times are cut to milliseconds, which is what ours
/// have.
pub(super) struct Taken(Vec<Value>);

impl Taken {
    pub(super) async fn from(server: &Server) -> Self {
        let mut answers = Vec::new();
        for path in PATHS {
            let mut answer = server.data(path).await;
            cut(&mut answer);
            answers.push(answer);
        }
        // 2.42 leaves out the labels of a recording rule that has none.
        for group in answers[0]["groups"].as_array_mut().unwrap() {
            for rule in group["rules"].as_array_mut().unwrap() {
                if rule["labels"].is_null() {
                    rule["labels"] = serde_json::json!({});
                }
            }
        }
        // An alert may have come between the two.
        answers[1] = serde_json::json!({ "alerts": alerts_of(&answers[0]) });
        // 2.42 neither counts dropped targets nor says where they come from.
        answers[2]["droppedTargets"][0]["scrapePool"] = "page".into();
        answers[2]["droppedTargetCounts"] = serde_json::json!({ "nothing": 0, "page": 1 });
        Self(answers)
    }

    pub(super) fn answers(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        PATHS.into_iter().zip(&self.0)
    }

    pub(super) fn give(&self, source: &mut Source) {
        let groups: Vec<_> = list(&self.0[0]["groups"]).map(group).collect();
        assert_eq!(groups.len(), 2);
        source.rules = Arc::new(move || groups.clone());
        let targets = Targets {
            active: list(&self.0[2]["activeTargets"]).map(target).collect(),
            dropped: list(&self.0[2]["droppedTargets"]).map(dropped).collect(),
        };
        source.targets = Arc::new(move || targets.clone());
        let metadata: Vec<_> = list(&self.0[5]).map(metadata).collect();
        assert_eq!(metadata.len(), 3);
        source.metadata = Arc::new(move || metadata.clone());
        let active = list(&self.0[4]["activeAlertmanagers"]).map(|one| text(&one["url"]));
        let known = Alertmanagers {
            active: active.collect(),
            dropped: vec![],
        };
        source.alertmanagers = Arc::new(move || known.clone());
        let flags = self.0[6].as_object().unwrap().iter();
        source.flags = flags
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
    }
}

/// Times with more digits than milliseconds.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) => {
            let is_time = text.len() > 20 && text.as_bytes()[10] == b'T';
            if let Some(time) = is_time.then(|| text.parse::<Timestamp>().ok()).flatten() {
                let time = Timestamp::from_millisecond(time.as_millisecond()).unwrap();
                *text = time.to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(fields) => fields.values_mut().for_each(cut),
        _ => {}
    }
}

fn alerts_of(rules: &Value) -> Vec<Value> {
    let rules = list(&rules["groups"]).flat_map(|group| list(&group["rules"]));
    rules
        .filter(|rule| rule["type"] == "alerting")
        .flat_map(|rule| list(&rule["alerts"]))
        .cloned()
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array();
    list.unwrap_or_else(|| panic!("no list: {value}")).iter()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn time(value: &Value) -> Option<i64> {
    let time: Timestamp = value.as_str().unwrap().parse().unwrap();
    Some(time.as_millisecond()).filter(|time| *time > 0)
}

fn health(value: &Value) -> Health {
    match value.as_str().unwrap() {
        "ok" | "up" => Health::Good,
        "err" | "down" => Health::Bad,
        _ => Health::Unknown,
    }
}

fn state(value: &Value) -> RuleState {
    match value.as_str().unwrap() {
        "firing" => RuleState::Firing,
        "pending" => RuleState::Pending,
        _ => RuleState::Inactive,
    }
}

fn group(value: &Value) -> RuleGroup {
    RuleGroup {
        name: text(&value["name"]),
        file: text(&value["file"]),
        interval: number(&value["interval"]),
        limit: number(&value["limit"]) as usize,
        rules: list(&value["rules"]).map(rule).collect(),
        evaluation_time: number(&value["evaluationTime"]),
        last_evaluation_ms: time(&value["lastEvaluation"]),
    }
}

fn rule(value: &Value) -> Rule {
    let kind = match value["type"].as_str().unwrap() {
        "recording" => RuleKind::Recording,
        _ => RuleKind::Alerting {
            state: state(&value["state"]),
            hold: number(&value["duration"]),
            keep_firing_for: number(&value["keepFiringFor"]),
            annotations: labels(&value["annotations"]),
            alerts: list(&value["alerts"]).map(alert).collect(),
        },
    };
    Rule {
        name: text(&value["name"]),
        query: text(&value["query"]),
        labels: labels(&value["labels"]),
        health: health(&value["health"]),
        last_error: value["lastError"].as_str().map(str::to_owned),
        evaluation_time: number(&value["evaluationTime"]),
        last_evaluation_ms: time(&value["lastEvaluation"]),
        kind,
    }
}

fn alert(value: &Value) -> Alert {
    Alert {
        labels: labels(&value["labels"]),
        annotations: labels(&value["annotations"]),
        state: state(&value["state"]),
        active_at_ms: time(&value["activeAt"]).unwrap(),
        keep_firing_since_ms: None,
        value: exposition::parse_value(value["value"].as_str().unwrap()).unwrap(),
    }
}

fn target(value: &Value) -> Target {
    Target {
        discovered_labels: labels(&value["discoveredLabels"]),
        labels: labels(&value["labels"]),
        scrape_pool: text(&value["scrapePool"]),
        scrape_url: text(&value["scrapeUrl"]),
        global_url: text(&value["globalUrl"]),
        last_error: text(&value["lastError"]),
        last_scrape_ms: time(&value["lastScrape"]),
        last_scrape_duration: number(&value["lastScrapeDuration"]),
        health: health(&value["health"]),
        scrape_interval: text(&value["scrapeInterval"]),
        scrape_timeout: text(&value["scrapeTimeout"]),
    }
}

fn dropped(value: &Value) -> DroppedTarget {
    let discovered_labels = labels(&value["discoveredLabels"]);
    DroppedTarget {
        scrape_pool: discovered_labels.get("job").to_owned(),
        discovered_labels,
    }
}

fn metadata(value: &Value) -> Metadata {
    let kinds = ["counter", "gauge", "histogram"];
    let kind = kinds.into_iter().find(|kind| value["type"] == *kind);
    Metadata {
        target: labels(&value["target"]),
        family: text(&value["metric"]),
        kind: kind.unwrap(),
        help: text(&value["help"]),
        unit: text(&value["unit"]),
    }
}
