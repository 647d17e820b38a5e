//! The files by which Grafana finds the dashboards and the data source: it passes over keys
//! that it does not know.

use std::fs;
use std::time::Duration;

use settings::{Kind, Node};

use super::boards::FOLDER;

/// What stands under a key; the keys of a mapping must all be known.
fn entries<'a>(node: &'a Node, known: &[&str]) -> impl Fn(&str) -> Option<&'a Node> {
    let Kind::Map(entries) = &node.kind else {
        panic!("{}: a mapping is wanted", node.place);
    };
    for (name, _) in entries {
        assert!(
            known.contains(&&*name.text),
            "{}: {}",
            name.place,
            name.text
        );
    }
    move |key| {
        let found = entries.iter().find(|(name, _)| name.text == key);
        found.map(|(_, node)| node)
    }
}

fn word(node: Option<&Node>) -> &str {
    match node.map(|node| &node.kind) {
        Some(Kind::Scalar { text, .. }) => text,
        other => panic!("a text is wanted: {other:?}"),
    }
}

fn first(node: Option<&Node>) -> &Node {
    match node.map(|node| &node.kind) {
        Some(Kind::List(nodes)) => &nodes[0],
        other => panic!("a list is wanted: {other:?}"),
    }
}

#[test]
fn the_provisioning_files_have_the_keys_that_grafana_reads() {
    let read = |name: &str| {
        let file = format!("{FOLDER}/provisioning/{name}");
        let text = fs::read_to_string(&file).expect("a provisioning file");
        settings::parse(&file, &text).unwrap_or_else(|fault| panic!("{fault:?}"))
    };
    let file = read("datasources/belfry.yml");
    let top = entries(
        &file,
        &["apiVersion", "prune", "datasources", "deleteDatasources"],
    );
    assert_eq!(word(top("apiVersion")), "1");
    let known = [
        "name",
        "uid",
        "type",
        "access",
        "orgId",
        "url",
        "isDefault",
        "jsonData",
        "editable",
    ];
    let source = entries(first(top("datasources")), &known);
    for (key, value) in [
        ("type", "prometheus"),
        ("access", "proxy"),
        ("url", "http://127.0.0.1:9911"),
    ] {
        assert_eq!(word(source(key)), value);
    }
    let known = [
        "httpMethod",
        "prometheusType",
        "prometheusVersion",
        "timeInterval",
        "queryTimeout",
        "cacheLevel",
    ];
    let details = entries(source("jsonData").expect("details"), &known);
    assert!(["GET", "POST"].contains(&word(details("httpMethod"))));
    let kinds = ["Prometheus", "Cortex", "Mimir", "Thanos"];
    assert!(kinds.contains(&word(details("prometheusType"))));
    let interval = settings::parse_duration(word(details("timeInterval")));
    assert_eq!(interval, Some(Duration::from_secs(15)));

    let file = read("dashboards/belfry.yml");
    let top = entries(&file, &["apiVersion", "providers"]);
    assert_eq!(word(top("apiVersion")), "1");
    let known = [
        "name",
        "orgId",
        "type",
        "folder",
        "folderUid",
        "disableDeletion",
        "updateIntervalSeconds",
        "allowUiUpdates",
        "options",
    ];
    let provider = entries(first(top("providers")), &known);
    assert_eq!(word(provider("type")), "file");
    let options = entries(
        provider("options").expect("options"),
        &["path", "foldersFromFilesStructure"],
    );
    let path = word(options("path"));
    // Where the page about them says that they are copied to.
    let page = fs::read_to_string(format!("{FOLDER}/README.md")).expect("the page");
    assert!(page.contains(&format!("{path}/")), "{path}");
}
