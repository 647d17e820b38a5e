//! The page on which somebody takes alerts on, by a link of a mail or of the
//! page. A GET shows what it would concern, and only a POST does it.

use std::collections::BTreeSet;
use std::sync::Arc;

use alerter::{AckError, AckOf, AckRequest, Episode};
use axum::extract::{Form, OriginalUri, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use dashboards::fact::{Ack, Severity};
use dashboards::page::{AckAlert, AckPage};
use dashboards::time::Zone;
use serde::Deserialize;

use super::{pages, people};
use crate::app::Desk;

/// The ways from the pages of the page and of a mail to where all begins.
const UP: &str = "../";
const UP_FROM_MAIL: &str = "../../";

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Filled {
    /// Fingerprints, parted by commas: what was shown.
    #[serde(default)]
    only: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
}

/// Shows what a ticket of a mail concerns.
pub(super) async fn of_mail(State(desk): State<Arc<Desk>>, Path(ticket): Path<String>) -> Response {
    match desk.tickets.incident(&ticket) {
        Some(incident) => show(&desk, (&AckOf::Incident(incident), None), UP_FROM_MAIL).await,
        None => stranger(),
    }
}

/// Takes on what a ticket of a mail concerns.
pub(super) async fn of_mail_done(
    State(desk): State<Arc<Desk>>,
    OriginalUri(uri): OriginalUri,
    Path(ticket): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    match desk.tickets.incident(&ticket) {
        Some(incident) => {
            let at = (UP_FROM_MAIL, uri.path());
            take(&desk, AckOf::Incident(incident), filled, at).await
        }
        None => stranger(),
    }
}

/// Shows what an alert of the page concerns: all that shares a message with it.
pub(super) async fn of_alert(State(desk): State<Arc<Desk>>, Path(id): Path<String>) -> Response {
    show(&desk, (&AckOf::Text(id), None), UP).await
}

/// Takes on an alert of the page, and what shares a message with it.
pub(super) async fn of_alert_done(
    State(desk): State<Arc<Desk>>,
    OriginalUri(uri): OriginalUri,
    Path(id): Path<String>,
    Form(filled): Form<Filled>,
) -> Response {
    take(&desk, AckOf::Text(id), filled, (UP, uri.path())).await
}

async fn take(
    desk: &Desk,
    of: AckOf,
    filled: Filled,
    (up, path): (&'static str, &str),
) -> Response {
    let only: BTreeSet<u64> = filled
        .only
        .split(',')
        .filter_map(|id| u64::from_str_radix(id, 16).ok())
        .collect();
    let request = AckRequest {
        group: matches!(of, AckOf::Text(_)),
        of: of.clone(),
        only: Some(only),
        by: filled.by,
        note: filled.note,
        undo: false,
    };
    match desk.alerter.acknowledge(request).await {
        // To the same page by GET: reloading it takes nothing on again.
        Ok(_) => {
            // Relative, as a proxy may have taken a path away.
            let own = path.rsplit('/').next().unwrap_or_default();
            Redirect::to(own).into_response()
        }
        Err(AckError::Over | AckError::Find(_)) => show(desk, (&of, None), up).await,
        Err(err) => show(desk, (&of, Some(&err)), up).await,
    }
}

async fn show(desk: &Desk, (of, fault): (&AckOf, Option<&AckError>), up: &'static str) -> Response {
    let found = match of {
        AckOf::Incident(incident) => desk.alerter.incident(incident).await.map_err(Into::into),
        AckOf::Text(text) => desk.alerter.find(text, true).await,
    };
    let alerts = match found {
        Ok(found) => found,
        Err(AckError::Find(_)) => Vec::new(),
        Err(err) => return (people::status(&err), format!("{err}\n")).into_response(),
    };
    let site = desk.site();
    let page = AckPage {
        up,
        host: site.host,
        now_ms: desk.now_ms(),
        zone: Zone(site.zone),
        alerts: alerts
            .iter()
            .filter(|it| it.ended_ms.is_none())
            .map(alert)
            .collect(),
        by: String::new(),
        fault: fault.map_or_else(String::new, ToString::to_string),
    };
    let status = match (fault, page.alerts.is_empty()) {
        (Some(fault), _) => people::status(fault),
        (None, true) => StatusCode::GONE,
        (None, false) => StatusCode::OK,
    };
    let mut response = match dashboards::page::ack(&page) {
        Ok(html) => (status, html).into_response(),
        Err(err) => {
            tracing::error!("the page cannot be written: {err:#}");
            let text = "the page cannot be written; belfry ack does the same\n";
            return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
        }
    };
    pages::secure(response.headers_mut());
    // Without it a browser would not say that the form comes from our own page.
    let policy = HeaderValue::from_static("same-origin");
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, policy);
    response
}

fn alert(episode: &Episode) -> AckAlert {
    let label = |name: &str| episode.labels.get(name).map(String::as_str);
    AckAlert {
        id: format!("{:016x}", episode.fingerprint),
        name: label("alertname").unwrap_or_default().to_owned(),
        severity: Severity::from_label(label("severity")),
        summary: episode.summary.clone(),
        since_ms: episode.started_ms,
        ack: episode.ack.as_ref().map(|ack| Ack {
            by: ack.by.clone(),
            note: ack.note.clone(),
            at_ms: ack.at_ms,
        }),
    }
}

fn stranger() -> Response {
    let text = "this link is none of ours, or it was cut: copy all of it\n";
    (StatusCode::FORBIDDEN, text).into_response()
}
