//! Whether dashboards say what Grafana reads, by its published schema: what it does not know
//! it passes over in silence, or shows as an empty panel.

use std::collections::BTreeSet;

use serde_json::Value;

use super::boards::{self, Board, list, text};

/// The kinds of panels that we use, all of them part of Grafana, and what each may be told.
const PANELS: [(&str, &[&str]); 6] = [
    (
        "timeseries",
        &["legend", "tooltip", "timezone", "orientation"],
    ),
    (
        "stat",
        &[
            "reduceOptions",
            "graphMode",
            "colorMode",
            "justifyMode",
            "orientation",
            "textMode",
            "wideLayout",
            "showPercentChange",
            "percentChangeColorMode",
            "text",
        ],
    ),
    (
        "gauge",
        &[
            "reduceOptions",
            "showThresholdLabels",
            "showThresholdMarkers",
            "orientation",
            "sizing",
            "minVizWidth",
            "minVizHeight",
            "text",
        ],
    ),
    (
        "bargauge",
        &[
            "reduceOptions",
            "displayMode",
            "orientation",
            "showUnfilled",
            "valueMode",
            "namePlacement",
            "sizing",
            "minVizWidth",
            "minVizHeight",
            "maxVizHeight",
            "legend",
            "text",
        ],
    ),
    (
        "table",
        &[
            "showHeader",
            "cellHeight",
            "sortBy",
            "footer",
            "frameIndex",
            "showTypeIcons",
        ],
    ),
    (
        "state-timeline",
        &[
            "mergeValues",
            "showValue",
            "rowHeight",
            "alignValue",
            "perPage",
            "legend",
            "tooltip",
            "timezone",
        ],
    ),
];
/// Ids of units.
const UNITS: [&str; 17] = [
    "none",
    "short",
    "percent",
    "percentunit",
    "bytes",
    "bps",
    "Bps",
    "pps",
    "ops",
    "reqps",
    "s",
    "ms",
    "h",
    "d",
    "dateTimeAsIso",
    "dateTimeFromNow",
    "bool_yes_no",
];
const COLOURS: [&str; 4] = ["fixed", "thresholds", "palette-classic", "shades"];
/// What a dashboard has at its top.
const TOP: [&str; 21] = [
    "annotations",
    "description",
    "editable",
    "fiscalYearStartMonth",
    "graphTooltip",
    "id",
    "links",
    "liveNow",
    "panels",
    "preload",
    "refresh",
    "schemaVersion",
    "style",
    "tags",
    "templating",
    "time",
    "timepicker",
    "timezone",
    "title",
    "uid",
    "version",
];
/// What a panel has.
const PANEL: [&str; 19] = [
    "cacheTimeout",
    "datasource",
    "description",
    "fieldConfig",
    "gridPos",
    "id",
    "interval",
    "links",
    "maxDataPoints",
    "options",
    "pluginVersion",
    "repeat",
    "repeatDirection",
    "targets",
    "timeFrom",
    "title",
    "transformations",
    "transparent",
    "type",
];
/// What a question to Prometheus has.
const TARGET: [&str; 12] = [
    "datasource",
    "editorMode",
    "exemplar",
    "expr",
    "format",
    "hide",
    "instant",
    "interval",
    "intervalFactor",
    "legendFormat",
    "range",
    "refId",
];

fn keys(value: &Value) -> impl Iterator<Item = &String> {
    value.as_object().expect("an object").keys()
}

#[track_caller]
fn only(value: &Value, known: &[&str], place: &str) {
    for key in keys(value) {
        assert!(known.contains(&key.as_str()), "{place}: {key}");
    }
}

#[track_caller]
fn one_of(value: &Value, known: &[&str], place: &str) {
    let value = value.as_str().unwrap_or_default();
    assert!(known.contains(&value), "{place}: {value:?}");
}

/// The variables that a text names: `$name` and `${name}`.
fn named(text: &str) -> BTreeSet<String> {
    let pieces = text.split('$').skip(1);
    let name = |piece: &str| -> String {
        let piece = piece.trim_start_matches('{');
        let letters = piece.chars();
        letters
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect()
    };
    // Those that Grafana has by itself begin so.
    pieces
        .map(name)
        .filter(|name| !name.is_empty() && !name.starts_with("__"))
        .collect()
}

/// All texts within a value.
fn texts<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(list) => list.iter().for_each(|one| texts(one, out)),
        Value::Object(map) => map.values().for_each(|one| texts(one, out)),
        _ => {}
    }
}

#[test]
fn dashboards_say_what_grafanas_schema_knows() {
    let boards = boards::all();
    let uids: BTreeSet<&str> = boards.iter().map(|one| text(&one.json, "uid")).collect();
    assert_eq!(uids.len(), boards.len());
    for board in &boards {
        top(board);
        variables(board);
        for panel in list(&board.json, "/panels") {
            self::panel(panel, &format!("{}, {}", board.name, text(panel, "title")));
        }
        for mark in list(&board.json, "/annotations/list") {
            let place = format!("{}, {}", board.name, text(mark, "name"));
            assert!(mark["enable"].is_boolean() && mark["iconColor"].is_string());
            match mark["builtIn"].as_u64() {
                Some(1) => assert_eq!(mark["datasource"]["uid"], "-- Grafana --", "{place}"),
                _ => assert!(!text(mark, "expr").is_empty(), "{place}: asks nothing"),
            }
        }
    }
}

fn top(board: &Board) {
    let (name, json) = (&board.name, &board.json);
    only(json, &TOP, name);
    // That of Grafana 12; older ones read it, newer ones raise it.
    assert_eq!(json["schemaVersion"], 41, "{name}");
    let uid = text(json, "uid");
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    assert!(uid.len() <= 40 && uid.chars().all(plain), "{name}: {uid}");
    // A number would be that of a dashboard in somebody else's database.
    assert!(json["id"].is_null(), "{name}");
    let tags: Vec<&Value> = list(json, "/tags").collect();
    for link in list(json, "/links") {
        one_of(&link["type"], &["dashboards", "link"], name);
        let wanted = list(link, "/tags");
        assert!(wanted.clone().all(|tag| tags.contains(&tag)), "{name}");
        if link["type"] == "link" {
            assert!(text(link, "url").starts_with("${belfry}/"), "{name}");
        }
    }
    for side in ["from", "to"] {
        assert!(text(&json["time"], side).starts_with("now"), "{name}");
    }
}

/// Each has what its kind wants, and asks for none that comes behind it; and all that any
/// text names are there.
fn variables(board: &Board) {
    let mut known = BTreeSet::new();
    for variable in list(&board.json, "/templating/list") {
        let place = format!("{}, ${}", board.name, text(variable, "name"));
        one_of(
            &variable["type"],
            &["datasource", "query", "textbox"],
            &place,
        );
        assert!(variable["hide"].as_u64() <= Some(2), "{place}: hide");
        let query = match variable["type"].as_str() {
            Some("query") => {
                let query = &variable["query"];
                only(query, &["query", "refId", "qryType"], &place);
                assert_eq!(query["query"], variable["definition"], "{place}");
                assert_eq!(variable["datasource"]["uid"], "${datasource}", "{place}");
                for (key, most) in [("refresh", 2), ("sort", 8)] {
                    assert!(variable[key].as_u64() <= Some(most), "{place}: {key}");
                }
                text(query, "query")
            }
            _ => text(variable, "query"),
        };
        if variable["type"] == "datasource" {
            assert_eq!(query, "prometheus", "{place}");
        }
        for name in named(query) {
            assert!(known.contains(&name), "{place} asks for ${name} too early");
        }
        let fresh = known.insert(text(variable, "name").to_owned());
        assert!(fresh, "{place} is there twice");
    }
    let mut all = Vec::new();
    texts(&board.json, &mut all);
    for text in all {
        for name in named(text) {
            let is_known = known.contains(&name);
            assert!(is_known, "{}: no variable ${name}: {text}", board.name);
        }
    }
}

fn panel(panel: &Value, place: &str) {
    if panel["type"] == "row" {
        // Folded rows hold panels of their own, which nobody here would look at.
        assert_eq!(list(panel, "/panels").count(), 0, "{place}");
        assert!(panel["repeat"].is_null(), "{place}");
        return;
    }
    // No panel is a library's: those live in one Grafana's database.
    only(panel, &PANEL, place);
    let kind = PANELS.iter().find(|(kind, _)| panel["type"] == *kind);
    let (_, options) = kind.unwrap_or_else(|| panic!("{place}: {}", panel["type"]));
    only(&panel["options"], options, place);
    // One that is repeated would ask with one value of its variable at a time.
    assert!(panel["repeat"].is_null(), "{place}");
    fields(&panel["fieldConfig"], place);
    let mut names = BTreeSet::new();
    for target in list(panel, "/targets") {
        only(target, &TARGET, place);
        assert!(names.insert(text(target, "refId")), "{place}: refId");
        assert_eq!(target["datasource"]["type"], "prometheus", "{place}");
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{place}");
        let both = [&target["instant"], &target["range"]];
        let asked = both.iter().filter(|kind| **kind == &Value::Bool(true));
        assert_eq!(asked.count(), 1, "{place}: now, or over a range");
        if !target["format"].is_null() {
            one_of(
                &target["format"],
                &["time_series", "table", "heatmap"],
                place,
            );
        }
    }
    assert!(!names.is_empty(), "{place}: asks nothing");
    if let Some(steps) = panel["transformations"].as_array() {
        for step in steps {
            one_of(&step["id"], &["organize", "merge", "sortBy"], place);
        }
    }
}

fn fields(config: &Value, place: &str) {
    let defaults = &config["defaults"];
    one_of(&defaults["unit"], &UNITS, place);
    one_of(&defaults["color"]["mode"], &COLOURS, place);
    one_of(
        &defaults["thresholds"]["mode"],
        &["absolute", "percentage"],
        place,
    );
    let steps: Vec<&Value> = list(defaults, "/thresholds/steps").collect();
    // The first stands for all that is less.
    assert!(steps[0]["value"].is_null(), "{place}");
    let values: Vec<f64> = steps[1..]
        .iter()
        .map(|step| step["value"].as_f64().expect("a number"))
        .collect();
    assert!(values.is_sorted(), "{place}: {values:?}");
    for mapping in list(defaults, "/mappings") {
        one_of(
            &mapping["type"],
            &["value", "range", "regex", "special"],
            place,
        );
        assert!(mapping["options"].is_object(), "{place}");
    }
    for change in list(config, "/overrides") {
        assert!(change["matcher"]["id"].is_string(), "{place}");
        assert!(
            list(change, "/properties").all(|one| one["id"].is_string()),
            "{place}"
        );
    }
}

#[test]
fn variables_are_found_in_texts() {
    let found = |text| named(text).into_iter().collect::<Vec<_>>();
    assert_eq!(
        found("a{b=~\"$host\"}[$__rate_interval] ${belfry}/x $"),
        ["belfry", "host"]
    );
}
