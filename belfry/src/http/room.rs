//! How many requests are served at once. Probes of our health are always
//! answered, a Belfry that has much to do is not ill; and so are pings, since a
//! job that did its work must not be paged for our load.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use healthchecks::heartbeat;
use tokio::sync::Semaphore;

/// So many requests are worked on at once.
pub(crate) const REQUESTS: usize = 64;

/// Serves the request if there is room for it.
pub(crate) async fn enter(
    State(room): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let vital = path.starts_with("/health/")
        || path.starts_with("/ping/")
        || heartbeat::by_uuid(path.trim_start_matches('/'));
    if vital || path == "/-/healthy" || path == "/-/ready" {
        return next.run(request).await;
    }
    let Ok(_place) = room.try_acquire() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "1")],
            "too many requests at once; ask again in a second\n",
        )
            .into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_full_house_refuses_all_but_probes_until_one_leaves() {
        let room = Arc::new(Semaphore::new(1));
        let router = Router::new()
            .fallback(get(|| async { "served" }))
            .layer(from_fn_with_state(Arc::clone(&room), enter));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let place = room.try_acquire().unwrap();
        let refused = ask("/metrics").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
        for path in [
            "/health/live",
            "/health/ready",
            "/-/healthy",
            "/-/ready",
            "/ping/job",
            "/3f8e8f0a-6c1b-4a53-9b43-7f0a1d2c3b4e/start",
        ] {
            assert_eq!(ask(path).await.status(), StatusCode::OK, "{path}");
        }
        drop(place);
        for _ in 0..3 {
            assert_eq!(ask("/metrics").await.status(), StatusCode::OK);
        }
    }
}
