//! `/health/live` and `/health/ready`: served from memory, so probing costs nothing.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use healthchecks::liveness::Stalled;
use healthchecks::readiness::{Dependency, Status};
use serde::Deserialize;
use serde_json::{Value, json};

use super::service::{allowed, shows};
use crate::app::{self, Watch};

/// `?format=text` gives lines instead of JSON, as does `Accept: text/plain`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Form {
    #[serde(default)]
    format: String,
}

impl Form {
    pub(super) fn text(&self, headers: &HeaderMap) -> bool {
        let accept = headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok());
        self.format == "text" || accept.is_some_and(|accept| accept.starts_with("text/plain"))
    }
}

/// An answer in the form that programs which ask for health expect; none of it is to
/// be kept by what stands between.
pub(super) fn json(code: StatusCode, body: &Value) -> Response {
    let kind = [
        (header::CONTENT_TYPE, "application/health+json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (code, kind, body.to_string()).into_response()
}

pub(super) fn status(well: bool) -> StatusCode {
    if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// Whether every loop of the watch still turns.
pub(crate) async fn live(
    State(watch): State<Arc<Watch>>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Response {
    let stalled = watch.liveness.stalled(Instant::now());
    let details = allowed(&watch, &headers);
    liveness(&stalled, details, form.text(&headers))
}

fn liveness(stalled: &[Stalled], details: bool, text: bool) -> Response {
    let well = stalled.is_empty();
    let code = status(well);
    let stalled = if details { stalled } else { &[] };
    if text {
        let mut text = String::from(if well { "live\n" } else { "not live\n" });
        for of in stalled {
            let how = if of.ended { "has ended" } else { "is silent" };
            text.push_str(&format!("{} {how} for {} s\n", of.name, of.silent_seconds));
        }
        return (code, text).into_response();
    }
    let mut body = json!({ "status": if well { "pass" } else { "fail" } });
    if details {
        body["stalled"] = json!(stalled);
    }
    json(code, &body)
}

/// Whether Belfry can do its work, dependency by dependency.
pub(crate) async fn ready(
    State(watch): State<Arc<Watch>>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Response {
    let verdict = watch.readiness.verdict();
    let code = status(verdict.ready);
    let details = allowed(&watch, &headers);
    if form.text(&headers) {
        let text = verdict.to_string();
        // Its first line is the verdict.
        let end = text.find('\n').map_or(text.len(), |at| at + 1);
        let told = if details { &text[..] } else { &text[..end] };
        return (code, told.to_owned()).into_response();
    }
    let mut body = json!({ "status": if verdict.ready { "pass" } else { "fail" } });
    if details {
        body["dependencies"] = json!(verdict.dependencies);
        body["checks"] = checks(&verdict.dependencies);
    }
    json(code, &body)
}

/// The same in the form of `application/health+json`, for programs that know only that.
fn checks(dependencies: &[Dependency]) -> Value {
    let check = |of: &Dependency| {
        let status = match of.status {
            Status::Ok | Status::Absent => "pass",
            Status::Failing | Status::Unknown if of.required => "fail",
            Status::Failing | Status::Unknown => "warn",
        };
        let mut check = json!({ "status": status });
        if let Ok(time) = jiff::Timestamp::from_millisecond(of.checked_ms) {
            check["time"] = json!(time.to_string());
        }
        if let Some(seconds) = of.latency_seconds {
            check["observedValue"] = json!(seconds);
            check["observedUnit"] = json!("s");
        }
        if !of.reason.is_empty() {
            check["output"] = json!(of.reason);
        }
        (of.name.to_owned(), json!([check]))
    };
    dependencies.iter().map(check).collect()
}

/// Prometheus' and Alertmanager's form of the first question.
pub(crate) async fn healthy(State(watch): State<Arc<Watch>>) -> Response {
    let well = watch.liveness.stalled(Instant::now()).is_empty();
    (
        status(well),
        if well {
            "Belfry is Healthy.\n"
        } else {
            "Belfry is not Healthy.\n"
        },
    )
        .into_response()
}

/// Prometheus' and Alertmanager's form of the second question.
pub(crate) async fn is_ready(State(watch): State<Arc<Watch>>) -> Response {
    let well = watch.readiness.verdict().ready;
    (
        status(well),
        if well {
            "Belfry is Ready.\n"
        } else {
            "Belfry is not Ready.\n"
        },
    )
        .into_response()
}

/// For other Belfrys: whom this one sees, as long as it lives itself. Where there
/// is a token for them, nobody else is told.
pub(crate) async fn peer(State(watch): State<Arc<Watch>>, headers: HeaderMap) -> Response {
    let config = watch.config();
    if !shows(&headers, &config.peer.token) {
        let text = "this is for those who show the token of peers\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let asker = headers
        .get("x-belfry-peer")
        .and_then(|name| name.to_str().ok());
    let well = watch.liveness.stalled(Instant::now()).is_empty();
    let sight = app::sight(&watch, asker.unwrap_or_default()).await;
    (status(well), Json(sight)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[test]
    fn each_dependency_is_a_check_as_well() {
        let dependency = |name, status, required, reason: &str| Dependency {
            name,
            status,
            required,
            latency_seconds: (status == Status::Ok).then_some(0.5),
            since_ms: 0,
            checked_ms: 1_700_000_000_000,
            reason: reason.to_owned(),
        };
        let told = checks(&[
            dependency("state", Status::Ok, true, ""),
            dependency("mail", Status::Failing, true, "refused"),
            dependency("engine", Status::Failing, false, "silent"),
            dependency("rules", Status::Unknown, true, ""),
            dependency("series", Status::Absent, false, ""),
        ]);
        let time = "2023-11-14T22:13:20Z";
        assert_eq!(
            told,
            json!({
                "state": [{"status": "pass", "time": time, "observedValue": 0.5, "observedUnit": "s"}],
                "mail": [{"status": "fail", "time": time, "output": "refused"}],
                "engine": [{"status": "warn", "time": time, "output": "silent"}],
                "rules": [{"status": "fail", "time": time}],
                "series": [{"status": "pass", "time": time}],
            })
        );
    }

    #[tokio::test]
    async fn a_loop_that_stands_still_or_has_ended_makes_it_not_live() {
        let stalled = |ended| Stalled {
            name: "rules",
            silent_seconds: 90,
            ended,
        };
        for (stalled, text, code, body) in [
            (vec![], true, 200, "live\n"),
            (vec![], false, 200, r#"{"stalled":[],"status":"pass"}"#),
            (
                vec![stalled(false)],
                true,
                503,
                "not live\nrules is silent for 90 s\n",
            ),
            (
                vec![stalled(true)],
                true,
                503,
                "not live\nrules has ended for 90 s\n",
            ),
            (
                vec![stalled(false)],
                false,
                503,
                r#"{"stalled":[{"ended":false,"name":"rules","silent_seconds":90}],"status":"fail"}"#,
            ),
        ] {
            let closed = liveness(&stalled, false, text);
            assert_eq!(closed.status().as_u16(), code);
            let told = to_bytes(closed.into_body(), 1000).await.unwrap();
            let told = String::from_utf8(told.to_vec()).unwrap();
            assert!(
                !told.contains("rules") && !told.contains("stalled"),
                "{told}"
            );
            let answer = liveness(&stalled, true, text);
            assert_eq!(answer.status().as_u16(), code);
            let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
            assert_eq!(kind == "application/health+json", !text, "{kind}");
            let told = to_bytes(answer.into_body(), 1000).await.unwrap();
            assert_eq!(told, body.as_bytes(), "{body}");
        }
    }
}
