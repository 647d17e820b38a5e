//! The API over HTTP, each answer against the OpenAPI document.

mod amtool;
mod bounds;
mod lists;
mod peer;
mod prometheus;
mod silence_lists;
mod templates;

use std::time::Duration;

use serde_json::json;
use sqlx::SqlitePool;

use crate::support::openapi::Document;
use crate::support::web::{Answer, Served, ask};
use crate::support::{config, database, mail, start};

/// A tree with inhibition and more than one receiver, which sends nothing.
pub(crate) const CONFIG: &str = r#"
route:
  receiver: default
  group_by: [alertname]
  group_wait: 1h
  group_interval: 1h
  repeat_interval: 4h
  routes:
    - {receiver: team-x, matchers: ['team="x"'], continue: true}
    - {receiver: team-x, matchers: ['team="x"', 'page="yes"'], group_by: ['...']}
inhibit_rules:
  - {source_matchers: ['alertname="Down"'], target_matchers: ['alertname!="Down"'], equal: [host]}
receivers:
  - name: default
  - name: team-x
"#;

struct World {
    served: Served,
    handle: alerter::Handle,
    document: Document,
    /// Kept until the end, as the database is in it.
    _folder: tempfile::TempDir,
    _pool: SqlitePool,
}

impl World {
    async fn start(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pool = database(folder.path()).await;
        let handle = start(config(yaml), mail("{}"), pool.clone()).await;
        Self {
            served: Served::start(&handle).await,
            handle,
            document: Document::read(),
            _folder: folder,
            _pool: pool,
        }
    }

    fn url(&self) -> String {
        self.served.url()
    }

    /// Asks, and holds the answer against the document.
    async fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let answer = ask(&self.url(), request, headers, body).await;
        let (method, path) = request.split_once(' ').unwrap();
        let plain = path.split('?').next().unwrap();
        let plain = match plain.starts_with("/silence/") {
            true => "/silence/{silenceID}",
            false => plain,
        };
        let method = method.to_ascii_lowercase();
        self.document.check(&method, plain, &answer);
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "").await
    }

    async fn post(&self, path: &str, body: serde_json::Value) -> Answer {
        let json = [("content-type", "application/json")];
        let body = body.to_string();
        self.ask(&format!("POST {path}"), &json, &body).await
    }

    /// Posts alerts of these labels: `alertname=x host=y`.
    async fn fire(&self, alerts: &[&str]) {
        let labels = |text: &&str| -> serde_json::Value {
            let pairs = text
                .split_whitespace()
                .map(|pair| pair.split_once('=').unwrap());
            let pairs = pairs.map(|(name, value)| (name.to_owned(), json!(value)));
            let labels = serde_json::Map::from_iter(pairs);
            json!({"labels": labels, "annotations": {"summary": text}})
        };
        let alerts: Vec<_> = alerts.iter().map(labels).collect();
        assert_eq!(self.post("/alerts", json!(alerts)).await.status, 200);
    }

    async fn silence(&self, matchers: serde_json::Value) -> String {
        let answer = self.post("/silences", silence(matchers)).await;
        answer.json()["silenceID"].as_str().unwrap().to_owned()
    }
}

fn silence(matchers: serde_json::Value) -> serde_json::Value {
    json!({
        "matchers": matchers,
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2100-01-01T00:00:00Z",
        "createdBy": "me",
        "comment": "works",
    })
}

#[tokio::test]
async fn a_silence_is_made_shown_changed_and_ended() {
    let world = World::start(CONFIG).await;
    let matchers = json!([{"name": "host", "value": "a|b", "isRegex": true}]);
    let id = world.silence(matchers.clone()).await;
    world
        .fire(&["alertname=x host=a", "alertname=x host=c"])
        .await;
    let alerts = world.get("/alerts?silenced=false").await.json();
    assert_eq!(alerts[0]["labels"]["host"], "c");
    assert_eq!(alerts[1], json!(null));
    let alerts = world.get("/alerts?active=false").await.json();
    assert_eq!(
        alerts[0]["status"],
        json!({"state": "suppressed", "silencedBy": [id], "inhibitedBy": [], "mutedBy": []})
    );
    let shown = world.get(&format!("/silence/{id}")).await.json();
    assert_eq!(shown["status"]["state"], "active");
    assert_eq!(shown["matchers"][0]["isEqual"], true);
    assert_eq!(world.get("/silences").await.json()[0], shown);

    let mut change = silence(matchers);
    change["id"] = json!(id);
    change["startsAt"] = shown["startsAt"].clone();
    change["comment"] = json!("<longer>");
    let answer = world.post("/silences", change.clone()).await;
    assert_eq!(answer.json()["silenceID"], json!(id));
    change["matchers"][0]["value"] = json!("c");
    let other = world.post("/silences", change.clone()).await.json();
    assert_ne!(other["silenceID"], json!(id));
    change["id"] = json!("00000000-0000-4000-8000-000000000000");
    let unknown = world.post("/silences", change).await;
    assert_eq!(
        (unknown.status, &*unknown.text),
        (404, "\"silence not found\"\n")
    );

    let list = world.get("/silences").await.json();
    let states: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["status"]["state"])
        .collect();
    assert_eq!(states, ["active", "expired"]);
    for (query, count) in [
        ("?active=false", 1),
        ("?expired=false", 1),
        ("?active=no&expired=no", 0),
        ("?filter=host%3D~%22a%7Cb%22", 1),
        ("?filter=host%3D%22a%7Cb%22", 0),
        ("?filter=host%3D~%22c%22&filter=x%3D1", 0),
    ] {
        let found = world.get(&format!("/silences{query}")).await.json();
        assert_eq!(found.as_array().unwrap().len(), count, "{query}");
    }
    let other = other["silenceID"].as_str().unwrap();
    for _ in 0..2 {
        let request = format!("DELETE /silence/{other}");
        let ended = world.ask(&request, &[], "").await;
        assert_eq!((ended.status, &*ended.text), (200, ""));
    }
    let alerts = world.get("/alerts?silenced=false").await.json();
    assert_eq!(alerts.as_array().unwrap().len(), 2);
    assert_eq!(world.get("/silences?expired=false").await.text, "[]\n");
}

#[tokio::test]
async fn the_status_shows_the_configuration_without_secrets() {
    let with_mail = format!(
        "{CONFIG}    email_configs: [{{to: 'a@b.c', from: 'd@e.f', smarthost: 'mx:25', auth_username: u, auth_password: hunter2}}]\n"
    );
    let world = World::start(&with_mail).await;
    let status = world.get("/status").await.json();
    let original = status["config"]["original"].as_str().unwrap();
    assert!(original.contains("auth_password: <secret>"), "{original}");
    assert_eq!(
        status["cluster"],
        json!({"peers": [], "status": "disabled"})
    );
    let receivers = world.get("/receivers").await.json();
    let names: Vec<_> = receivers
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["default", "team-x"]);
    let found = world
        .get("/receivers?receiver_matchers=name%3D~%22team-.*%22")
        .await
        .json();
    assert_eq!(
        found,
        json!([{"name": "team-x", "labels": {"name": "team-x"}}])
    );
    let faulty = world.get("/receivers?receiver_matchers=name").await;
    assert_eq!(faulty.text, "\"bad matcher format: name\"\n");
    // What is shown can be started from.
    let again = World::start(&original.replace("<secret>", "x")).await;
    assert_eq!(
        again.get("/status").await.json()["config"]["original"],
        original
    );
}

#[tokio::test]
async fn after_a_stop_every_question_is_answered_with_an_error() {
    let world = World::start(CONFIG).await;
    world.handle.stop(Duration::from_secs(5)).await;
    for path in ["/alerts", "/alerts/groups", "/silences"] {
        let answer = world.get(path).await;
        assert_eq!(
            (answer.status, &*answer.text),
            (500, "\"the alerter has stopped\"\n"),
            "{path}"
        );
    }
    let answer = world.post("/alerts", json!([{"labels": {"a": "b"}}])).await;
    assert_eq!(answer.status, 500);
}
