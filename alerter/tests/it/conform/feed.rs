//! Doing what a scenario says to both servers at the same moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::Scenario;
use crate::support::{now_ms, web};

/// Both servers.
#[derive(Clone)]
pub(super) struct Feed {
    /// A restart changes them.
    urls: Arc<Mutex<[String; 2]>>,
    client: reqwest::Client,
}

impl Feed {
    pub(super) fn new(urls: [String; 2]) -> Self {
        Self {
            urls: Arc::new(Mutex::new(urls)),
            client: web::client(),
        }
    }

    fn urls(&self) -> [String; 2] {
        self.urls.lock().unwrap().clone()
    }

    /// From now on they are reached elsewhere.
    pub(super) async fn go_to(&self, urls: [String; 2]) {
        *self.urls.lock().unwrap() = urls;
        self.warm_up().await;
    }

    pub(super) async fn warm_up(&self) {
        for url in self.urls() {
            let answer = self.client.get(format!("{url}/api/v2/status")).send().await;
            assert_eq!(answer.unwrap().status(), 200);
        }
    }

    /// Does the steps of a scenario when they are due.
    pub(super) async fn play(self, scenario: &'static Scenario, begin: Instant) {
        let mut silences = [String::new(), String::new()];
        let mut began = BTreeMap::new();
        for step in scenario.steps.split("; ") {
            let (at, what) = step.split_once(' ').unwrap();
            let at: f64 = at.parse().unwrap();
            sleep_until(begin + Duration::from_secs_f64(at)).await;
            let (kind, rest) = what.split_at(1);
            match kind {
                "+" => {
                    let now_ms = now_ms();
                    began.insert(rest, now_ms);
                    self.put(scenario, rest, Some(now_ms), None).await;
                }
                "=" => self.put(scenario, rest, Some(began[rest]), None).await,
                "-" => self.put(scenario, rest, None, Some(now_ms())).await,
                "~" => silences = self.silence(scenario, rest).await,
                _ => self.unsilence(&silences).await,
            }
        }
    }

    /// `a x=1 @2`: an alert of that name and these labels, which ends by itself in
    /// two seconds, or ended.
    async fn put(
        &self,
        scenario: &Scenario,
        text: &str,
        began_ms: Option<i64>,
        ended_ms: Option<i64>,
    ) {
        let mut labels = json!({"scenario": scenario.name});
        let mut lives_ms = 3_600_000;
        for (place, word) in text.split(' ').enumerate() {
            match (place, word.strip_prefix('@'), word.split_once('=')) {
                (0, ..) => labels["alertname"] = json!(word),
                (_, Some(seconds), _) => lives_ms = seconds.parse::<i64>().unwrap() * 1_000,
                (_, _, Some((name, value))) => labels[name] = json!(value),
                _ => panic!("{text}"),
            }
        }
        let mut alert = json!({
            "labels": labels,
            "annotations": {"summary": format!("<{text}> & more")},
            "generatorURL": "http://p.example.org/graph?g0.expr=up&g0.tab=1",
            "endsAt": time(ended_ms.unwrap_or(now_ms() + lives_ms)),
        });
        if let Some(began_ms) = began_ms {
            alert["startsAt"] = json!(time(began_ms));
        }
        self.post("/alerts", &json!([alert])).await;
    }

    async fn silence(&self, scenario: &Scenario, text: &str) -> [String; 2] {
        let (names, seconds) = text.split_once(' ').unwrap_or((text, "3600"));
        let seconds: i64 = seconds.parse().unwrap();
        let silence = json!({
            "matchers": [
                {"name": "scenario", "value": scenario.name, "isRegex": false},
                {"name": "alertname", "value": names, "isRegex": true},
            ],
            "startsAt": time(now_ms()),
            "endsAt": time(now_ms() + seconds * 1_000),
            "createdBy": "test",
            "comment": "test",
        });
        let answers = self.post("/silences", &silence).await;
        answers.map(|answer| answer["silenceID"].as_str().unwrap().to_owned())
    }

    async fn unsilence(&self, ids: &[String; 2]) {
        for (url, id) in self.urls().iter().zip(ids) {
            let url = format!("{url}/api/v2/silence/{id}");
            let answer = self.client.delete(url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }

    async fn post(&self, path: &str, body: &Value) -> [Value; 2] {
        post(&self.client, &self.urls(), path, body).await
    }
}

/// To both at the same moment.
pub(super) async fn post(
    client: &reqwest::Client,
    urls: &[String; 2],
    path: &str,
    body: &Value,
) -> [Value; 2] {
    let one = async |url: &str| {
        let url = format!("{url}/api/v2{path}");
        let answer = client.post(&url).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{url}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    };
    let (theirs, ours) = tokio::join!(one(&urls[0]), one(&urls[1]));
    [theirs, ours]
}

fn time(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms).unwrap();
    format!("{time:.3}")
}
