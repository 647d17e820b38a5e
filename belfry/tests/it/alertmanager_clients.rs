//! Programs that read and steer an Alertmanager: the requests that karma and
//! Grafana's data source make, as they go over the wire, to us and to Debian's
//! Alertmanager. Neither program comes by a registry, so their requests are written
//! down here; of each answer what these programs read is looked at.

use serde_json::{Value, json};

use crate::setup::Setup;
use crate::support::alertmanager::Alone;
use crate::support::alone::Alertmanager;
use crate::support::belfry::Launch;
use crate::support::http::{self, Response};
use crate::support::poll;
use crate::support::scratch::Scratch;

const INHIBIT: &str = "inhibit_rules: [{source_matchers: [alertname=Down], \
    target_matchers: [alertname=Slow], equal: [host]}]\n";

/// Header fields of a Go program that reads JSON.
const GO: &str =
    "User-Agent: Go-http-client/1.1\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n";

/// Those of a browser that asks by karma's proxy, which hands them on.
const KARMA: &str = "User-Agent: Mozilla/5.0\r\nAccept: */*\r\nOrigin: http://karma.example:8080\r\n\
    Referer: http://karma.example:8080/\r\nX-Forwarded-For: 10.0.0.7\r\nContent-Type: application/json\r\n";

/// Those of Grafana's proxy for data sources, which takes Origin and Referer away.
const GRAFANA: &str = "User-Agent: Grafana/13.0.1\r\nAccept: application/json, text/plain, */*\r\n\
    Accept-Encoding: gzip\r\nX-Forwarded-For: 10.0.0.7\r\nX-Grafana-Org-Id: 1\r\n\
    X-Grafana-Referer: http://grafana.example/alerting/groups\r\nSec-Fetch-Site: same-origin\r\n";

#[track_caller]
fn ask(address: &str, request: &str, fields: &str, body: &str) -> Response {
    let length = match request.starts_with("POST") {
        true => format!("Content-Length: {}\r\n", body.len()),
        false => String::new(),
    };
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\n{fields}{length}Connection: close\r\n\r\n{body}"
    );
    http::send(address, &text).unwrap_or_else(|err| panic!("{request}: {err}"))
}

/// Ours, and Debian's, with the same alerts.
struct Both {
    ours: Alone,
    theirs: Alertmanager,
}

impl Both {
    fn start() -> Self {
        let text = format!("route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{INHIBIT}");
        let both = Self {
            ours: Alone::start(&text, &[]),
            theirs: Alertmanager::with(INHIBIT),
        };
        // As Grafana sends the alerts of its own rules.
        let alert = |name: &str, host: &str| {
            json!({
                "labels": {"alertname": name, "host": host, "__alert_rule_uid__": "dh5u", "grafana_folder": "On call"},
                "annotations": {"summary": format!("{name} on {host}"), "__dashboardUid__": "x", "__panelId__": "2"},
                "startsAt": "2026-01-01T00:00:00Z",
                "endsAt": "2100-01-01T00:00:00Z",
                "generatorURL": "http://grafana.example/alerting/grafana/dh5u/view?orgId=1",
            })
        };
        let alerts = json!([alert("Down", "a"), alert("Slow", "a"), alert("Disk", "b")]);
        for address in both.addresses() {
            let fields = "User-Agent: Grafana/13.0.1\r\nContent-Type: application/json\r\n";
            let answer = ask(&address, "POST /api/v2/alerts", fields, &alerts.to_string());
            assert_eq!(answer.status, 200, "{answer:?}");
            // The peer sorts alerts into groups after it has answered.
            poll::holds("three alerts in a group", || {
                let groups = ask(&address, "GET /api/v2/alerts/groups", GO, "").json();
                groups[0]["alerts"]
                    .as_array()
                    .is_some_and(|it| it.len() == 3)
            });
        }
        both
    }

    fn addresses(&self) -> [String; 2] {
        [self.ours.address(), self.theirs.address.clone()]
    }

    /// Both answer alike: with the same status and kind, and ours says whatever
    /// theirs says. Ours.
    #[track_caller]
    fn alike(&self, request: &str, fields: &str) -> Response {
        let [ours, theirs] = self
            .addresses()
            .map(|address| ask(&address, request, fields, ""));
        assert_eq!(ours.status, theirs.status, "{request}: {ours:?}");
        let kind = |answer: &Response| answer.header("content-type").map(ToOwned::to_owned);
        assert_eq!(kind(&ours), kind(&theirs), "{request}");
        if ours.status == 200 {
            let mut lacking = Vec::new();
            lacks(&ours.json(), &theirs.json(), "", &mut lacking);
            assert!(
                lacking.is_empty(),
                "{request}: {lacking:?}\n{ours:?}\n{theirs:?}"
            );
        }
        ours
    }

    /// The same silence in both, made by these header fields; its names.
    fn silence(&self, fields: &str, draft: &Value) -> [String; 2] {
        self.addresses().map(|address| {
            let answer = ask(
                &address,
                "POST /api/v2/silences",
                fields,
                &draft.to_string(),
            );
            assert_eq!(answer.status, 200, "{answer:?}");
            let id = answer.json()["silenceID"].as_str().map(ToOwned::to_owned);
            id.unwrap_or_else(|| panic!("no name: {answer:?}"))
        })
    }
}

/// What `theirs` has and `ours` has not, or has as another kind of value.
fn lacks(ours: &Value, theirs: &Value, at: &str, lacking: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in theirs {
                let at = format!("{at}/{name}");
                match ours.get(name) {
                    Some(own) => lacks(own, value, &at, lacking),
                    None => lacking.push(at),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (at_ours, at_theirs) in ours.iter().zip(theirs) {
                lacks(at_ours, at_theirs, &format!("{at}[]"), lacking);
            }
        }
        (Value::String(_), Value::String(_)) => {}
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => lacking.push(format!("{at}: {ours} for {theirs}")),
    }
}

fn draft(host: &str) -> Value {
    json!({
        "matchers": [{"name": "host", "value": host, "isRegex": true, "isEqual": true}],
        "startsAt": "2026-01-01T00:00:00.000Z",
        "endsAt": "2100-01-01T00:00:00.000Z",
        "createdBy": "kim@example.org",
        "comment": "rebuilt",
    })
}

#[test]
fn karma_finds_the_version_the_groups_and_the_silences_and_may_change_these() {
    let both = Both::start();
    let ours = both.ours.address();
    // It reads the version first, and chooses by it how to read the rest.
    let metrics = ask(
        &ours,
        "GET /metrics",
        "User-Agent: karma/0.121\r\nAccept-Encoding: gzip\r\n",
        "",
    );
    let kind = metrics.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let mut lines = metrics.body.lines();
    let info = lines.find(|line| line.starts_with("alertmanager_build_info{"));
    let version = info.and_then(|it| it.split("version=\"").nth(1)?.split('"').next());
    let parts: Vec<u32> = version
        .into_iter()
        .flat_map(|it| it.split('.'))
        .map(|it| it.parse().unwrap())
        .collect();
    assert!(parts.len() == 3 && parts >= vec![0, 22, 0], "{info:?}");

    let status = both.alike("GET /api/v2/status", GO).json();
    assert_eq!(status["cluster"]["status"], "disabled");
    let [id, theirs] = both.silence(KARMA, &draft("b|c"));
    let silences = both.alike("GET /api/v2/silences", GO).json();
    // Whatever its reader takes for granted is there.
    for name in ["id", "startsAt", "endsAt", "createdBy", "comment"] {
        assert!(silences[0][name].is_string(), "{name}: {silences}");
    }
    let matcher = json!({"name": "host", "value": "b|c", "isRegex": true, "isEqual": true});
    assert_eq!(silences[0]["matchers"], json!([matcher]));
    for query in ["", "?active=true&inhibited=true&silenced=true"] {
        let groups = both.alike(&format!("GET /api/v2/alerts/groups{query}"), GO);
        let group = &groups.json()[0];
        assert_eq!(group["receiver"]["name"], "nobody");
        let alerts = group["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 3);
        for alert in alerts {
            let texts = [
                &alert["fingerprint"],
                &alert["startsAt"],
                &alert["generatorURL"],
                &alert["status"]["state"],
            ];
            assert!(texts.iter().all(|it| it.is_string()), "{alert}");
            let (silenced, hidden) = match alert["labels"]["alertname"].as_str() {
                Some("Disk") => (1, 0),
                Some("Slow") => (0, 1),
                _ => (0, 0),
            };
            let count = |name: &str| alert["status"][name].as_array().unwrap().len();
            assert_eq!(
                (count("silencedBy"), count("inhibitedBy")),
                (silenced, hidden)
            );
        }
    }
    // A silence is edited by its name, and ended.
    for (address, id) in both.addresses().into_iter().zip([&id, &theirs]) {
        // Each with its own begin: another second is another silence.
        let its = ask(&address, &format!("GET /api/v2/silence/{id}"), KARMA, "").json();
        let mut changed = draft("b|c");
        changed["id"] = json!(id);
        changed["startsAt"] = its["startsAt"].clone();
        changed["comment"] = json!("rebuilt twice");
        let answer = ask(
            &address,
            "POST /api/v2/silences",
            KARMA,
            &changed.to_string(),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.json()["silenceID"].as_str().unwrap().to_owned();
        let answer = ask(&address, &format!("DELETE /api/v2/silence/{id}"), KARMA, "");
        assert_eq!((answer.status, &*answer.body), (200, ""), "{address}");
    }
    let silences = both.alike("GET /api/v2/silences", GO).json();
    let all = silences.as_array().unwrap();
    assert!(all.iter().all(|it| it["status"]["state"] == "expired"));
}

#[test]
fn grafana_takes_us_for_an_alertmanager_and_shows_and_silences_what_fires() {
    let both = Both::start();
    healthy(&both.ours.address());
    // It reads the configuration out of the status.
    let status = both.alike("GET /api/v2/status", GRAFANA).json();
    let original = status["config"]["original"].as_str().unwrap();
    let scratch = Scratch::new();
    let file = scratch.file("alertmanager.yml", original);
    let (ok, said) = both
        .ours
        .amtool(&["check-config", file.to_str().expect("a path of ASCII")]);
    assert!(ok && said.contains("1 inhibit rules"), "{said}");

    let [id, theirs] = both.silence(
        &format!("{GRAFANA}Content-Type: application/json\r\n"),
        &draft("b"),
    );
    for (query, count) in [
        ("", 3),
        ("?silenced=false&inhibited=false&active=true", 1),
        (
            "?filter=alertname%3D%22Disk%22&silenced=true&active=true&inhibited=true",
            1,
        ),
        (
            "?filter=alertname%3D~%22D.%2A%22&filter=host%21%3D%22b%22&unprocessed=true",
            1,
        ),
        ("?filter=grafana_folder%3D%22On%20call%22", 3),
    ] {
        let alerts = both.alike(&format!("GET /api/v2/alerts{query}"), GRAFANA);
        assert_eq!(alerts.json().as_array().unwrap().len(), count, "{query}");
    }
    for (query, count) in [
        ("", 1),
        (
            "?filter=host%3D%22b%22&receiver=nobody&active=true&silenced=true&inhibited=true",
            1,
        ),
        ("?receiver=other", 0),
    ] {
        let groups = both.alike(&format!("GET /api/v2/alerts/groups{query}"), GRAFANA);
        assert_eq!(groups.json().as_array().unwrap().len(), count, "{query}");
    }
    // What it asks of its own Alertmanager too is no fault.
    let more = "?ruleMetadata=true&accesscontrol=true";
    let silences = both.alike(&format!("GET /api/v2/silences{more}"), GRAFANA);
    assert_eq!(silences.json()[0]["id"], json!(id));
    for (address, id) in both.addresses().into_iter().zip([&id, &theirs]) {
        let path = format!("/api/v2/silence/{id}");
        let shown = ask(&address, &format!("GET {path}{more}"), GRAFANA, "");
        assert_eq!(shown.json()["status"]["state"], "active");
        let answer = ask(&address, &format!("DELETE {path}"), GRAFANA, "");
        assert_eq!((answer.status, &*answer.body), (200, ""), "{address}");
        let shown = ask(&address, &format!("GET {path}{more}"), GRAFANA, "");
        assert_eq!(shown.json()["status"]["state"], "expired");
    }
    // An id that nobody gave, as from an old tab.
    let unknown = "GET /api/v2/silence/00000000-0000-4000-8000-000000000000";
    assert_eq!(both.alike(unknown, GRAFANA).status, 404);
}

/// The test of a data source of the kind "Prometheus": it is no Mimir, and answers.
#[track_caller]
fn healthy(address: &str) {
    let get = |path: &str| ask(address, &format!("GET {path}"), GRAFANA, "");
    let info = get("/api/v1/status/buildinfo");
    assert!(!info.body.contains("Mimir"), "{info:?}");
    assert_ne!(get("/alertmanager/api/v2/status").status, 200);
    assert_eq!(get("/api/v2/status").status, 200);
}

#[test]
fn the_whole_watch_is_an_alertmanager_to_grafana_too() {
    let setup = Setup::new();
    let belfry = Launch::with(&setup.config()).start();
    let address = belfry.address();
    healthy(address);
    let fields = format!("{GRAFANA}Content-Type: application/json\r\n");
    let made = ask(
        address,
        "POST /api/v2/silences",
        &fields,
        &draft("x").to_string(),
    );
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["silenceID"].as_str().unwrap().to_owned();
    let silences = ask(address, "GET /api/v2/silences", GO, "").json();
    assert_eq!(silences[0]["id"], json!(id));
    // A page of another site makes no browser change anything, whoever hands it on.
    let refused = ask(
        address,
        "POST /api/v2/silences",
        KARMA,
        &draft("y").to_string(),
    );
    assert_eq!(refused.status, 403, "{refused:?}");
    // karma's file may name what it hands on instead.
    let told = KARMA.replace(
        "Origin: http://karma.example:8080",
        &format!("Sec-Fetch-Site: same-origin\r\nOrigin: http://{address}"),
    );
    let made = ask(
        address,
        "POST /api/v2/silences",
        &told,
        &draft("y").to_string(),
    );
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["silenceID"].as_str().unwrap().to_owned();
    let ended = ask(address, &format!("DELETE /api/v2/silence/{id}"), &told, "");
    assert_eq!(ended.status, 200, "{ended:?}");
    // But not for a page of a third site that makes a browser ask by karma.
    let third = told.replace("same-origin", "cross-site");
    let refused = ask(
        address,
        "POST /api/v2/silences",
        &third,
        &draft("z").to_string(),
    );
    assert_eq!(refused.status, 403, "{refused:?}");
}
