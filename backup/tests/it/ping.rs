//! Somebody outside hears how a job goes.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use backup::Job;
use backup::ping::{Told, ping};
use settings::Secret;

type Seen = Arc<Mutex<Vec<String>>>;

async fn hear(State(seen): State<Seen>, uri: Uri) -> StatusCode {
    let mut seen = seen.lock().unwrap();
    seen.push(uri.path().to_owned());
    // The first answer is an error: it is told again.
    if seen.len() == 1 {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    }
}

#[tokio::test]
async fn start_success_and_failure_are_told_and_told_again_when_the_answer_is_an_error() {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = Router::new().fallback(hear).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let job = Job {
        ping: Secret::new(format!("http://127.0.0.1:{port}/secret-id/")),
        ..Job::default()
    };
    for told in [Told::Start, Told::Success, Told::Fail] {
        ping(&job, told).await;
    }
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "/secret-id/start",
            "/secret-id/start",
            "/secret-id",
            "/secret-id/fail"
        ]
    );
    // Nobody is named: nobody is told; nobody is there: nobody is held up.
    ping(&Job::default(), Told::Start).await;
    let gone = Job {
        ping: Secret::new("http://127.0.0.1:1/x"),
        ..Job::default()
    };
    ping(&gone, Told::Fail).await;
    assert_eq!(seen.lock().unwrap().len(), 4);
}
