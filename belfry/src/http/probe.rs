//! `/probe?target=&module=&hostname=`: one look, as blackbox_exporter answers. Only what is
//! configured, or allowed by name, can be asked for: this must not become a way
//! into networks that the asker cannot reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use healthchecks::probe::{self, Loaded, Module};
use serde::Deserialize;
use tokio::sync::Semaphore;

/// Prepares a look for a certificate.
type Compare = dyn Fn(&mut Module, &str) + Send + Sync;

/// What may be looked at, and how.
#[derive(Clone)]
pub(super) struct Known {
    /// Tells it.
    pub(super) loaded: Arc<dyn Fn() -> Arc<Loaded> + Send + Sync>,
    /// Has a look compare what is served with a certificate on the disk.
    pub(super) compare: Arc<Compare>,
}

/// So many looks are taken at once for others.
static ROOM: Semaphore = Semaphore::const_new(16);

/// So often a module was asked for that there is not.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);

/// How often a module was asked for that there is not.
pub(crate) fn unknown_modules() -> u64 {
    UNKNOWN.load(Relaxed)
}

/// A look that says nothing of its length takes no longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Nobody waits for longer.
const LONGEST: f64 = 120.0;
/// What is left of a scraper's time for the way back.
const OFFSET: f64 = 0.5;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    target: String,
    module: String,
    debug: String,
    hostname: String,
}

/// The route `/probe`.
pub(super) fn router(known: Known) -> Router {
    Router::new().route("/probe", get(probe)).with_state(known)
}

/// Looks once.
async fn probe(
    State(known): State<Known>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if asked.target.is_empty() {
        return (StatusCode::BAD_REQUEST, "Target parameter is missing\n").into_response();
    }
    let loaded = (known.loaded)();
    let mut module = match loaded.asked(&asked.target, &asked.module) {
        Ok(module) => module.clone(),
        Err(why) if why.starts_with("unknown module") => {
            UNKNOWN.fetch_add(1, Relaxed);
            return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response();
        }
        Err(why) => return (StatusCode::FORBIDDEN, format!("refused: {why}\n")).into_response(),
    };
    let Ok(_place) = ROOM.try_acquire() else {
        let again = [(header::RETRY_AFTER, "1")];
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            again,
            "too many probes at once\n",
        )
            .into_response();
    };
    let own = loaded.config.targets.iter().find(|one| {
        let known = loaded.modules.get(&one.module);
        one.target == asked.target && known.is_some_and(|known| **known == module)
    });
    if let Some(own) = own {
        (known.compare)(&mut module, &own.certificate);
    }
    if !asked.hostname.is_empty()
        && let Err(why) = module.for_host(&asked.hostname)
    {
        return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response();
    }
    let outcome = probe::run(&asked.target, &module, timeout(&headers, module.timeout)).await;
    let page = outcome.page();
    if asked.debug == "true" {
        let said = match &outcome.failure {
            Some(failure) => failure.to_string(),
            None => "succeeded".to_owned(),
        };
        return format!(
            "Probe of {}: {said}\n\nModule:\n{}\nMetrics:\n{page}",
            asked.target,
            module.shown()
        )
        .into_response();
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], page).into_response()
}

/// The shorter of what the module and the scraper leave.
fn timeout(headers: &HeaderMap, module: Option<Duration>) -> Duration {
    let scraper = headers
        .get("x-prometheus-scrape-timeout-seconds")
        .and_then(|value| value.to_str().ok()?.parse::<f64>().ok())
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .map(|seconds| Duration::from_secs_f64((seconds.min(LONGEST) - OFFSET).max(0.1)));
    match (scraper, module) {
        (Some(scraper), Some(module)) => scraper.min(module),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_time_holds() {
        let second = Duration::from_secs;
        for (stated, module, expected) in [
            ("", None, second(10)),
            ("", Some(second(3)), second(3)),
            ("5.5", None, second(5)),
            ("5.5", Some(second(3)), second(3)),
            ("nan", None, second(10)),
            ("-1", None, second(10)),
            ("0.2", None, Duration::from_millis(100)),
            ("1e300", None, Duration::from_millis(119_500)),
        ] {
            let mut headers = HeaderMap::new();
            if !stated.is_empty() {
                headers.insert(
                    "x-prometheus-scrape-timeout-seconds",
                    stated.parse().unwrap(),
                );
            }
            assert_eq!(timeout(&headers, module), expected, "{stated} {module:?}");
        }
    }
}
