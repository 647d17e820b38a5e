//! How many requests are served at once. Probes of our health are always
//! answered, a Belfry that has much to do is not ill; and so are pings, in all their
//! forms, since a job that did its work must not be paged for our load.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

/// So many requests are worked on at once.
const REQUESTS: usize = 64;

/// Who is let in.
pub(crate) struct Room {
    places: Semaphore,
    is_ping: IsPing,
}

/// Whether a path, without its slash in front, is a ping that has no `ping/` in front.
type IsPing = Box<dyn Fn(&str) -> bool + Send + Sync>;

impl Room {
    /// For who takes no pings.
    pub(crate) fn without_pings() -> Arc<Self> {
        Self::with_pings(|_| false)
    }

    /// For who takes pings, and knows which paths are some: with a key in them they
    /// look like any other.
    pub(crate) fn with_pings(is_ping: impl Fn(&str) -> bool + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            places: Semaphore::new(REQUESTS),
            is_ping: Box::new(is_ping),
        })
    }
}

/// Serves the request if there is room for it.
pub(crate) async fn enter(State(room): State<Arc<Room>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let vital = path.starts_with("/health/")
        || path.starts_with("/ping/")
        || path == "/-/healthy"
        || path == "/-/ready"
        || (room.is_ping)(path.strip_prefix('/').unwrap_or(path));
    if vital {
        return next.run(request).await;
    }
    let Ok(_place) = room.places.try_acquire() else {
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
    use healthchecks::heartbeat::Book;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_full_house_refuses_all_but_probes_and_pings_until_one_leaves() {
        let config = settings::read(
            "belfry.yml".as_ref(),
            "{ping_key: s3cret, expect: {job: {}}}",
            &|_| None,
        );
        let beats = Book::new(&config.unwrap(), "", vec![], 0);
        let room = Room::with_pings(move |path| beats.takes_bare(path));
        let router = Router::new()
            .fallback(get(|| async { "served" }))
            .layer(from_fn_with_state(Arc::clone(&room), enter));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let all = u32::try_from(REQUESTS).unwrap();
        let places = room.places.try_acquire_many(all).unwrap();
        for path in ["/metrics", "/job", "/another/job"] {
            let refused = ask(path).await;
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
            assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
        }
        for path in [
            "/health/live",
            "/health/ready",
            "/-/healthy",
            "/-/ready",
            "/ping/job",
            "/3f8e8f0a-6c1b-4a53-9b43-7f0a1d2c3b4e/start",
            "/s3cret/job",
            "/s3cret/job/fail",
        ] {
            assert_eq!(ask(path).await.status(), StatusCode::OK, "{path}");
        }
        drop(places);
        for _ in 0..3 {
            assert_eq!(ask("/metrics").await.status(), StatusCode::OK);
        }
    }
}
