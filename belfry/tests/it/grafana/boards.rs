//! The dashboards as data, and whether they are made as Grafana wants them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::prometheus::{Prometheus, escaped};

pub(super) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/grafana");

/// One dashboard.
pub(crate) struct Board {
    pub(crate) name: String,
    pub(crate) json: Value,
    pub(crate) queries: Vec<Query>,
}

/// A query, and which panel, variable or mark it belongs to.
pub(crate) struct Query {
    pub(crate) place: String,
    pub(crate) expr: String,
}

/// All of them.
pub(crate) fn all() -> Vec<Board> {
    let mut files: Vec<_> = fs::read_dir(FOLDER)
        .expect("the folder of the dashboards")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = fs::read_to_string(file).expect("a dashboard");
            let json: Value =
                serde_json::from_str(&text).unwrap_or_else(|err| panic!("{file:?}: {err}"));
            let name = file.file_stem().expect("a name").to_string_lossy();
            Board {
                name: name.into_owned(),
                queries: queries(&json),
                json,
            }
        })
        .collect()
}

pub(super) fn list<'a>(json: &'a Value, at: &str) -> impl Iterator<Item = &'a Value> + Clone {
    let list = json.pointer(at).and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("no list at {at}")).iter()
}

pub(super) fn text<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_default()
}

fn queries(json: &Value) -> Vec<Query> {
    let mut out = Vec::new();
    let mut add = |place: &str, expr: &str| {
        if !expr.is_empty() {
            out.push(Query {
                place: place.to_owned(),
                expr: expr.to_owned(),
            });
        }
    };
    for panel in panels(json) {
        for target in list(panel, "/targets") {
            add(text(panel, "title"), text(target, "expr"));
        }
    }
    for mark in list(json, "/annotations/list") {
        add(text(mark, "name"), text(mark, "expr"));
    }
    for variable in variables(json) {
        let (metric, _) = variable_query(variable);
        add(text(variable, "name"), &metric);
    }
    out
}

/// The panels that show something.
fn panels(json: &Value) -> impl Iterator<Item = &Value> {
    list(json, "/panels").filter(|panel| panel["type"] != "row")
}

fn variables(json: &Value) -> impl Iterator<Item = &Value> {
    list(json, "/templating/list").filter(|variable| variable["type"] == "query")
}

/// `label_values(METRIC, LABEL)`: what is asked for, and which label of it.
fn variable_query(variable: &Value) -> (String, String) {
    let query = variable["query"]["query"].as_str().expect("a query");
    let inner = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or_else(|| panic!("not label_values: {query}"));
    let (metric, label) = inner.rsplit_once(", ").expect("a label");
    (metric.to_owned(), label.to_owned())
}

impl Board {
    /// A query as Grafana sends it: all of each variable, or its first value.
    pub(crate) fn filled(&self, expr: &str, prometheus: &Prometheus) -> String {
        let mut out = expr
            .replace("$__rate_interval", "1m")
            .replace("$__range", "1m");
        for variable in variables(&self.json) {
            let name = format!("${}", text(variable, "name"));
            if !out.contains(&name) {
                continue;
            }
            let value = match variable["allValue"].as_str() {
                Some(all) => all.to_owned(),
                None => self.first_value(variable, prometheus),
            };
            out = out.replace(&name, &value);
        }
        assert!(!out.contains('$'), "{}: not filled: {out}", self.name);
        out
    }

    fn first_value(&self, variable: &Value, prometheus: &Prometheus) -> String {
        let (metric, label) = variable_query(variable);
        let metric = self.filled(&metric, prometheus);
        let path = format!("label/{label}/values?match[]={}", escaped(&metric));
        let values = prometheus.api(&path).expect("values of a label");
        values[0].as_str().unwrap_or("none yet").to_owned()
    }
}

#[test]
fn every_dashboard_is_whole_and_its_links_lead_somewhere() {
    let boards = all();
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "alerting",
            "api",
            "backups",
            "belfry",
            "celery",
            "containers",
            "host",
            "overview",
            "postgres",
            "redis"
        ]
    );
    let runbooks = rules::Runbooks::default();
    for Board { name, json, .. } in &boards {
        assert_eq!(json["uid"], format!("belfry-{name}"), "{name}");
        assert!(!text(json, "description").is_empty(), "{name}");
        let marks: Vec<&str> = list(json, "/annotations/list")
            .map(|mark| text(mark, "name"))
            .collect();
        for mark in ["Deploys", "Reboots", "Alerts"] {
            assert!(marks.contains(&mark), "{name} lacks {mark}");
        }
        let variables: BTreeSet<&str> = list(json, "/templating/list")
            .map(|variable| text(variable, "name"))
            .collect();
        for variable in ["datasource", "host", "belfry"] {
            assert!(variables.contains(variable), "{name} lacks {variable}");
        }
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(json, "/panels") {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64()), "{name}, {title}: id");
            let side = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
            assert!(side("x") + side("w") <= 24, "{name}, {title}: too wide");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(taken.insert((x, y)), "{name}, {title}: over another");
                }
            }
        }
        for panel in panels(json) {
            let title = text(panel, "title");
            let place = format!("{name}, {title}");
            assert!(
                !title.is_empty() && !text(panel, "description").is_empty(),
                "{place}"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!text(defaults, "unit").is_empty(), "{place}: no unit");
            assert!(
                list(defaults, "/thresholds/steps").count() >= 1,
                "{place}: no thresholds"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
            for link in list(panel, "/links") {
                let url = text(link, "url");
                let book = url.strip_prefix("${belfry}/runbooks/").expect(url);
                assert!(runbooks.get(book).is_some(), "{place}: {url}");
            }
        }
    }
}
