//! Pages for a Prometheus beside us.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::{Job, Watch};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything on one page.
pub(crate) async fn all(State(watch): State<Arc<Watch>>) -> Response {
    let mut text = String::new();
    for job in Job::ALL {
        text.push_str(&job.page(&watch).await);
    }
    page(text)
}

/// The page of one job.
pub(crate) async fn job(State(watch): State<Arc<Watch>>, Path(name): Path<String>) -> Response {
    match Job::ALL.into_iter().find(|job| job.as_str() == name) {
        Some(job) => page(job.page(&watch).await),
        None => {
            let names: Vec<_> = Job::ALL.iter().map(|job| job.as_str()).collect();
            let text = format!("no such page; there are: {}\n", names.join(", "));
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

fn page(text: String) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], text).into_response()
}
