//! Doing what a scenario says to both servers at the same moment.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::Scenario;
use crate::support::{now_ms, web};

/// Both servers.
#[derive(Clone)]
pub(super) struct Feed {
    urls: [String; 2],
    client: reqwest::Client,
}

impl Feed {
    pub(super) fn new(urls: [String; 2]) -> Self {
        Self {
            urls,
            client: web::client(),
        }
    }

    pub(super) async fn warm_up(&self) {
        for url in &self.urls {
            let answer = self.client.get(format!("{url}/api/v2/status")).send().await;
            assert_eq!(answer.unwrap().status(), 200);
        }
    }

    /// Does the steps of a scenario when they are due.
    pub(super) async fn play(self, scenario: &'static Scenario, begin: Instant) {
        let mut silences = [String::new(), String::new()];
        for step in scenario.steps.split("; ") {
            let (at, what) = step.split_once(' ').unwrap();
            let at: f64 = at.parse().unwrap();
            sleep_until(begin + Duration::from_secs_f64(at)).await;
            let (kind, rest) = what.split_at(1);
            match kind {
                "+" => self.put(scenario, rest, None).await,
                "-" => self.put(scenario, rest, Some(now_ms())).await,
                "~" => silences = self.silence(scenario, rest).await,
                _ => self.unsilence(&silences).await,
            }
        }
    }

    /// `a x=1 @2`: an alert of that name and these labels, which ends by itself in
    /// two seconds, or ended.
    async fn put(&self, scenario: &Scenario, text: &str, ended_ms: Option<i64>) {
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
        if ended_ms.is_none() {
            alert["startsAt"] = json!(time(now_ms()));
        }
        self.post("/alerts", [&json!([alert]); 2]).await;
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
        let answers = self.post("/silences", [&silence; 2]).await;
        answers.map(|answer| answer["silenceID"].as_str().unwrap().to_owned())
    }

    async fn unsilence(&self, ids: &[String; 2]) {
        for (url, id) in self.urls.iter().zip(ids) {
            let url = format!("{url}/api/v2/silence/{id}");
            let answer = self.client.delete(url).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
    }

    async fn post(&self, path: &str, bodies: [&Value; 2]) -> [Value; 2] {
        let one = async |url: &str, body: &Value| {
            let url = format!("{url}/api/v2{path}");
            let answer = self.client.post(url).json(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json().await.unwrap_or(Value::Null)
        };
        let (theirs, ours) =
            tokio::join!(one(&self.urls[0], bodies[0]), one(&self.urls[1], bodies[1]));
        [theirs, ours]
    }
}

fn time(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms).unwrap();
    format!("{time:.3}")
}
