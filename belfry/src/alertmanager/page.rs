//! The page `/`: what fires, what is silenced, and where the rest is.

use std::fmt::Write as _;
use std::sync::Arc;

use alerter::{AlertView, Silence, SilenceState};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Shared;

/// Rows of a table; the API has the others.
const ROWS: usize = 500;

const HEAD: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Alerts</title>\
<style>body{font:15px sans-serif;margin:1em auto;max-width:70em;padding:0 1em}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3em;text-align:left;\
vertical-align:top}code{background:#eee;padding:0 .2em}</style></head><body>";

const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

pub(super) async fn page(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let alerts = shared.alerter.alerts().await.unwrap_or_default();
    let silences = shared.alerter.silences().await.unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, write(&alerts, &silences))
}

fn write(alerts: &[AlertView], silences: &[Silence]) -> String {
    let mut out = String::from(HEAD);
    let _ = write!(out, "<h1>{} alerts</h1>", alerts.len());
    out.push_str("<table><tr><th>State<th>Labels<th>Annotations<th>Since<th>Receivers</tr>");
    for alert in alerts.iter().take(ROWS) {
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            alert.state.as_str(),
            pairs(&alert.labels),
            pairs(&alert.annotations),
            time(alert.starts_ms),
            escaped(&alert.receivers.join(", ")),
        );
    }
    out.push_str("</table>");
    if alerts.len() > ROWS {
        let _ = write!(out, "<p>The first {ROWS} are shown.</p>");
    }
    let shown = silences
        .iter()
        .filter(|silence| silence.state != SilenceState::Expired);
    out.push_str("<h2>Silences</h2><table><tr><th>Matchers<th>Until<th>By<th>Why<th>Id</tr>");
    for silence in shown.take(ROWS) {
        let matchers = silence.matchers.iter().map(ToString::to_string);
        let matchers: Vec<_> = matchers.collect();
        let _ = write!(
            out,
            "<tr><td><code>{}</code><td>{}<td>{}<td>{}<td>{}</tr>",
            escaped(&matchers.join(", ")),
            time(silence.ends_ms),
            escaped(&silence.created_by),
            escaped(&silence.comment),
            escaped(&silence.id),
        );
    }
    out.push_str(
        "</table><p>Silences are made with <code>amtool</code>, Grafana or the API at \
         <code>api/v2</code>; figures are at <code>metrics</code>.</p></body></html>",
    );
    out
}

fn pairs(set: &alert::Set) -> String {
    let pair =
        |(name, value): (&String, &String)| format!("<b>{}</b> {}", escaped(name), escaped(value));
    set.iter().map(pair).collect::<Vec<_>>().join("<br>")
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or(String::new(), |time| format!("{time:.0}"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
