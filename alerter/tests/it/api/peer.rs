//! The same requests to us and to Debian's Alertmanager: the same answers, but
//! for what a newer Alertmanager says differently.

use serde_json::{Value, json};

use super::{CONFIG, World, silence};
use crate::support::peer::Peer;
use crate::support::web::{Answer, ask};

const JSON: (&str, &str) = ("content-type", "application/json");

/// What differs for good: ours for the peer's.
const NEWER: [(&str, &str); 5] = [
    // Of 0.34; the counterpart is 0.25.
    (
        "silence invalid: invalid label matcher 0:",
        "invalid silence: invalid label matcher 0 in set 0:",
    ),
    (
        "silence invalid: at least",
        "invalid silence: matcher set 0: at least",
    ),
    ("; ", "\\n"),
    // Its order is random.
    ("POST,GET", "GET,POST"),
    ("DELETE,GET", "GET,DELETE"),
];

/// A request, its header fields and its body.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[tokio::test]
async fn requests_are_refused_as_alertmanager_refuses_them() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start(folder.path(), CONFIG).await;
    let world = World::start(CONFIG).await;
    let plain: [Row<'_>; 17] = [
        ("GET /nope", &[], ""),
        ("DELETE /alerts", &[], ""),
        ("PUT /silences", &[], ""),
        ("POST /silence/x", &[], ""),
        ("POST /status", &[], ""),
        ("GET /alerts", &[("accept", "text/html")], ""),
        (
            "GET /alerts",
            &[("accept", "text/html, application/*;q=0.5")],
            "",
        ),
        ("POST /alerts", &[("content-type", "text/plain")], "[]"),
        ("POST /alerts", &[], "[]"),
        (
            "POST /alerts",
            &[("content-type", "application/json; charset=utf-8")],
            "[]",
        ),
        ("GET /silence/abc", &[], ""),
        ("DELETE /silence/abc", &[], ""),
        ("GET /silence/00000000-0000-4000-8000-000000000000", &[], ""),
        ("GET /alerts?filter=a", &[], ""),
        ("GET /silences?filter=a%3D~(", &[], ""),
        ("GET /alerts?filter=a%3D~%22x%7B2%7D%7B3%7D%22", &[], ""),
        ("GET /alerts?receiver=%5CQx", &[], ""),
    ];
    for (request, headers, body) in plain {
        same(&peer, &world, request, headers, body).await;
    }
    for body in [
        "",
        "null",
        "[]",
        "[{}]",
        r#"[{"labels":null}]"#,
        r#"[{"labels":{}}]"#,
        r#"[{"labels":{"a":""}}]"#,
        r#"[{"labels":"#,
        r#"[{"labels":{"a":"1"},"startsAt":"yesterday"}]"#,
        r#"[{"labels":{"a":"1"},"generatorURL":"x"}]"#,
        r#"[{"labels":{"a":"1"},"generatorURL":"/x"}, {"labels":{"a":"2"},"generatorURL":"mailto:x"}]"#,
        r#"[{"labels":{}}, {"labels":{"a":"1"},"startsAt":"2030-01-01T00:00:00Z"}]"#,
        r#"[{"labels":{"a":"1"},"startsAt":"2030-01-02T00:00:00Z","endsAt":"2030-01-01T00:00:00Z"}]"#,
        r#"[{"labels":{"a":"1"},"startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z","more":[1]}]"#,
    ] {
        same(&peer, &world, "POST /alerts", &[JSON], body).await;
    }
    let whole = silence(json!([{"name": "a", "value": "b", "isRegex": false}]));
    let mut bodies = vec![json!({}), json!({"matchers": "x"})];
    for name in ["matchers", "startsAt", "endsAt", "createdBy", "comment"] {
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove(name);
        bodies.push(without);
    }
    for matchers in [
        json!([]),
        json!([{"name": "a"}]),
        json!([{"name": "a", "value": "x"}]),
        json!([{"isRegex": true, "value": "x"}]),
        json!([{"name": "a", "value": "", "isRegex": false}]),
        json!([{"name": "", "value": "x", "isRegex": false}]),
        json!([{"name": "a", "value": "(", "isRegex": true}]),
        json!([{"name": "a", "value": "*", "isRegex": true}]),
        json!([{"name": "a", "value": "b**", "isRegex": true}]),
        json!([{"name": "a", "value": "b{1001}", "isRegex": true}]),
        json!([{"name": "a", "value": "(?:b{50}){50}", "isRegex": true}]),
        json!([{"name": "a", "value": "(?x)b", "isRegex": true}]),
    ] {
        bodies.push(silence(matchers));
    }
    for (starts, ends) in [
        ("2029-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
        ("2021-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    ] {
        let mut times = whole.clone();
        (times["startsAt"], times["endsAt"]) = (json!(starts), json!(ends));
        bodies.push(times);
    }
    let mut unknown = whole;
    unknown["id"] = json!("nothing");
    bodies.push(unknown);
    for body in bodies {
        same(&peer, &world, "POST /silences", &[JSON], &body.to_string()).await;
    }
}

async fn same(peer: &Peer, world: &World, request: &str, headers: &[(&str, &str)], body: &str) {
    let theirs = ask(&peer.url, request, headers, body).await;
    let ours = world.ask(request, headers, body).await;
    let said = |answer: &Answer| {
        let mut text = answer.text.trim_end().to_owned();
        // A time is not a text that two programs have in common.
        if let Some(at) = text.find("json: ").or(text.find("looking for")) {
            text.truncate(at);
        }
        (
            answer.status,
            answer.header("content-type").to_owned(),
            text,
        )
    };
    let (ours, mut theirs) = (said(&ours), said(&theirs));
    for (old, new) in NEWER {
        theirs.2 = theirs.2.replace(old, new);
    }
    // Theirs reads it twice, and the first time as something else.
    if theirs.2.contains("failed, because ") && ours.2.contains("invalid type") {
        let (theirs, ours) = (
            theirs.2.split(", because").next(),
            ours.2.split(", because").next(),
        );
        assert_eq!(ours, theirs, "{request} {headers:?} {body}");
        return;
    }
    assert_eq!(ours, theirs, "{request} {headers:?} {body}");
}

#[tokio::test]
async fn lists_are_the_same_as_alertmanagers() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start(folder.path(), CONFIG).await;
    let world = World::start(CONFIG).await;
    let alerts = json!([
        {"labels": {"alertname": "Down", "host": "a", "site": "düren"}, "annotations": {"s": "<&>\u{2028}"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00Z", "generatorURL": "http://p/g?a=b&c"},
        {"labels": {"alertname": "Disk", "host": "a", "team": "x", "page": "yes", "none": ""}, "startsAt": "2026-01-01T00:00:00.5Z", "endsAt": "2100-01-01T00:00:00Z"},
        {"labels": {"alertname": "Load", "host": "b", "team": "x"}, "startsAt": "2026-01-01 00:00:00", "endsAt": "2100-01-01T00:00:00Z"},
        {"labels": {"alertname": "Old"}, "endsAt": "2020-01-01T00:00:00Z"},
    ]);
    for base in [&peer.url, &world.url()] {
        assert_eq!(
            ask(base, "POST /alerts", &[JSON], &alerts.to_string())
                .await
                .status,
            200
        );
        let body =
            silence(json!([{"name": "host", "value": "b", "isRegex": false, "isEqual": true}]));
        assert_eq!(
            ask(base, "POST /silences", &[JSON], &body.to_string())
                .await
                .status,
            200
        );
    }
    for path in [
        "/alerts",
        "/alerts?filter=alertname%3DDisk",
        "/alerts?filter=page!%3D%22%22",
        // Classes of letters know ASCII alone, and what is quoted is a text.
        "/alerts?filter=site%3D~%5Cw%2B",
        "/alerts?filter=site%3D~%5CQd%5CE.%2B",
        // Dashes in classes, behind sets and as ends of ranges; and signs by their numbers.
        "/alerts?filter=alertname%3D~%22%5B%5Cw-.%5D%2B%22",
        "/alerts?filter=alertname%3D~%22%5B%5Cs-z%5D%2B%22",
        "/alerts?filter=alertname%3D~%22%5B%2B--D%5D%2B.%2A%22",
        "/alerts?filter=alertname%3D~%22%5C104.%2B%22",
        "/alerts?filter=alertname%3D~%22%5Cp%7B%5EGreek%7D%2B%22",
        "/alerts?filter=alertname%3D~%22%5Cw%7B1%2C200%7D%22",
        "/alerts?receiver=team-x&inhibited=false",
        "/alerts?active=false",
        "/silences",
        "/silences?filter=host%3Db",
        "/receivers",
        "/alerts/groups",
        "/alerts/groups?receiver=default",
    ] {
        let request = format!("GET {path}");
        let theirs = crate::support::until("the counterpart's groups", async || {
            let answer = ask(&peer.url, &request, &[], "").await.json();
            // It sorts alerts into groups after it has answered.
            let all = path != "/alerts/groups" || answer.as_array().unwrap().len() == 4;
            all.then_some(answer)
        })
        .await;
        let ours = plain(world.get(path).await.json());
        if ours == plain(theirs) {
            continue;
        }
        // It also learns only after its answer which alerts hide others.
        let mut theirs = Value::Null;
        for _ in 0..1_000 {
            theirs = plain(ask(&peer.url, &request, &[], "").await.json());
            if ours == theirs {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(ours, theirs, "{path}");
    }
}

/// Without what is each server's own, or newer than the counterpart.
fn plain(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => {
            for item in items {
                *item = plain(item.take());
            }
        }
        Value::Object(fields) => {
            for own in ["updatedAt", "id", "mutedBy", "routeLabels"] {
                fields.remove(own);
            }
            if fields.contains_key("matchers") {
                fields.remove("startsAt");
                fields.remove("annotations");
            }
            if fields.keys().eq(["labels", "name"]) {
                fields.remove("labels");
            }
            for (name, field) in fields {
                // Ids of silences are random, and before the first look it says
                // "unprocessed" where newer ones say "active".
                match &**name {
                    "silencedBy" => *field = json!(field.as_array().unwrap().len()),
                    "state" if field == "unprocessed" => *field = json!("active"),
                    _ => *field = plain(field.take()),
                }
            }
        }
        _ => {}
    }
    value
}

#[tokio::test]
async fn pages_of_other_origins_may_read_and_post() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start(folder.path(), CONFIG).await;
    let world = World::start(CONFIG).await;
    let fields = [
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
    ];
    for (request, headers) in [
        ("GET /receivers", vec![("origin", "http://x")]),
        ("GET /receivers", vec![]),
        (
            "OPTIONS /silences",
            vec![
                ("origin", "http://x"),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "content-type"),
            ],
        ),
        (
            "OPTIONS /silence/x",
            vec![
                ("origin", "http://x"),
                ("access-control-request-method", "DELETE"),
            ],
        ),
        (
            "OPTIONS /silences",
            vec![
                ("origin", "http://x"),
                ("access-control-request-method", "POST"),
                ("access-control-request-headers", "authorization"),
            ],
        ),
    ] {
        let theirs = ask(&peer.url, request, &headers, "").await;
        let ours = ask(&world.url(), request, &headers, "").await;
        for field in fields {
            assert_eq!(
                ours.header(field),
                theirs.header(field),
                "{request} {headers:?}"
            );
        }
        assert_eq!(ours.header("vary"), "Origin");
        assert_eq!(ours.header("cache-control"), "no-store");
    }
}
