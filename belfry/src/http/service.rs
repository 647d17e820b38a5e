//! `/health/live/{service}` and `/health/ready/{service}`: answered from memory
//! on behalf of services, for load balancers, compose and uptime services.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use healthchecks::service::{Answer, Cause};
use serde_json::json;
use settings::Secret;

use super::health::{Form, status};
use super::ping::bearer;
use crate::app::{self, Doubt, Watch};

/// Whether a process of the service runs.
pub(crate) async fn live(
    State(watch): State<Arc<Watch>>,
    Path(name): Path<String>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Response {
    answer(
        &watch,
        &name,
        &form,
        &headers,
        ("live", |answer| answer.live),
    )
}

/// Whether the service can do its work.
pub(crate) async fn ready(
    State(watch): State<Arc<Watch>>,
    Path(name): Path<String>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Response {
    answer(
        &watch,
        &name,
        &form,
        &headers,
        ("ready", |answer| answer.ready),
    )
}

type Question = (&'static str, fn(&Answer) -> bool);

fn answer(
    watch: &Watch,
    name: &str,
    form: &Form,
    headers: &HeaderMap,
    (word, well): Question,
) -> Response {
    let details = allowed(watch, headers);
    // Asked first: what is listed meanwhile is among the services.
    let doubt = app::doubt(watch);
    let unlisted = doubt.as_ref().filter(|doubt| doubt.listed_ms.is_none());
    let unknown = |doubt: &Doubt| {
        if form.text(headers) {
            let mut text = format!("not {word}\n");
            if details {
                text.push_str(&line("engine", &doubt.reason));
            }
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        }
        let mut body = json!({ "status": "fail" });
        if details {
            body["engine"] = json!(doubt);
        }
        super::health::json(StatusCode::SERVICE_UNAVAILABLE, &body)
    };
    let services = app::services(watch);
    let (service, project) = match services.named(name)[..] {
        [found] => found,
        [] => {
            // Until the engine has told, nobody can say what there is not.
            if let Some(doubt) = unlisted {
                return unknown(doubt);
            }
            // A service that is known and gone is told as missing; one that was never known is a slip of the pen.
            return (StatusCode::NOT_FOUND, "no service is named so\n").into_response();
        }
        _ => {
            let text = "several projects have a service of this name; ask for PROJECT.SERVICE\n";
            return (StatusCode::NOT_FOUND, text).into_response();
        }
    };
    let answer = app::with_evidence(watch, |evidence| {
        services.answer(service, project, evidence)
    });
    let missing = answer.reasons.iter().any(|(why, _)| *why == Cause::Missing);
    if let Some(doubt) = unlisted.filter(|_| missing) {
        return unknown(doubt);
    }
    let doubt = doubt.filter(|_| missing || !answer.containers.is_empty());
    let well = well(&answer);
    let code = status(well);
    if form.text(headers) {
        let mut text = format!("{}{word}\n", if well { "" } else { "not " });
        for (cause, detail) in answer.reasons.iter().filter(|_| details) {
            text.push_str(&line(cause.as_str(), detail));
        }
        if let Some(doubt) = doubt.filter(|_| details) {
            text.push_str(&line("engine", &doubt.reason));
        }
        return (code, text).into_response();
    }
    let mut body = json!({ "status": if well { "pass" } else { "fail" } });
    if details {
        body["service"] = json!(answer);
        if let Some(doubt) = doubt {
            body["engine"] = json!(doubt);
        }
    }
    super::health::json(code, &body)
}

fn line(what: &str, detail: &str) -> String {
    format!("{what:<10} {detail}\n")
}

/// Whether more than pass or fail is told.
pub(super) fn allowed(watch: &Watch, headers: &HeaderMap) -> bool {
    shows(headers, &watch.config().health.token)
}

/// Whether a request shows this token, if there is one to show.
pub(super) fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let same = |given: &str| {
        let (given, wanted) = (given.as_bytes(), token.expose().as_bytes());
        given.len() == wanted.len()
            && given
                .iter()
                .zip(wanted)
                .fold(0, |all, (one, other)| all | (one ^ other))
                == 0
    };
    token.is_empty() || bearer(headers).is_some_and(same)
}
