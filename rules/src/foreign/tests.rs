use std::future::pending;
use std::net::SocketAddr;

use axum::Router;
use axum::http::HeaderMap as Headers;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;

/// A server whose paths are its moods.
async fn serve() -> SocketAddr {
    let asked = |headers: Headers| async move {
        let of = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        format!(
            "asked{{auth={:?},timeout={:?}}} 1\n",
            of("authorization").unwrap_or_default(),
            of("x-prometheus-scrape-timeout-seconds").unwrap_or_default()
        )
    };
    let app = Router::new()
        .route("/metrics", get(asked))
        .route("/html", get(|| async { axum::response::Html("<p>") }))
        .route(
            "/bytes",
            get(|| async { ([("content-type", "text/plain")], [0xff_u8, 0xfe]) }),
        )
        .route("/large", get(|| async { "# a long remark\n".repeat(1000) }))
        .route("/silent", get(pending::<String>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn job(address: SocketAddr, path: &str) -> Job {
    Job {
        targets: vec![address.to_string()],
        path: path.into(),
        timeout: Duration::from_secs(9),
        body_limit: Size(1000),
        ..Job::default()
    }
}

async fn fetch(job: &Job) -> Result<String, String> {
    job.foreign(Duration::from_secs(15))[0]
        .fetch(&Client::new())
        .await
}

#[tokio::test]
async fn a_page_comes_with_the_credentials_that_were_given() {
    let address = serve().await;
    let plain = job(address, "/metrics");
    let bearer = Job {
        bearer_token: Secret::new("t0k"),
        ..plain.clone()
    };
    let basic = Job {
        username: "u".into(),
        password: Secret::new("p"),
        ..plain.clone()
    };
    for (job, auth) in [(plain, ""), (bearer, "Bearer t0k"), (basic, "Basic dTpw")] {
        let page = fetch(&job).await.unwrap();
        assert_eq!(page, format!("asked{{auth={auth:?},timeout=\"9\"}} 1\n"));
    }
}

#[tokio::test]
async fn whatever_goes_wrong_is_told_in_words() {
    let address = serve().await;
    for (path, why) in [
        ("nothing", "the target answered 404 Not Found"),
        ("/html", "the page is text/html, not text/plain"),
        ("/bytes", "the page is not UTF-8"),
        ("/large", "the page is larger than 1000 bytes"),
    ] {
        assert_eq!(fetch(&job(address, path)).await, Err(why.into()));
    }
    let silent = Job {
        timeout: Duration::from_millis(50),
        ..job(address, "/silent")
    };
    assert_eq!(fetch(&silent).await, Err("no page within 50ms".into()));
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let err = fetch(&job(nobody, "/metrics")).await.unwrap_err();
    assert!(err.contains("refused"), "{err}");
}

#[tokio::test]
async fn a_target_is_scraped_again_and_again_until_told_to_stop() {
    let address = serve().await;
    let mut foreign = job(address, "/metrics")
        .foreign(Duration::from_secs(15))
        .remove(0);
    foreign.every = Duration::from_millis(20);
    let stop = CancellationToken::new();
    let mut pages = 0;
    let client = Client::new();
    let scraping = foreign.run(&client, &stop, |page, _| {
        assert!(page.is_ok());
        pages += 1;
        if pages == 3 {
            stop.cancel();
        }
    });
    scraping.await;
    assert_eq!(pages, 3);
}

#[test]
fn targets_of_a_job_are_told_once_and_share_its_settings() {
    let job: Job = settings::read(
        "belfry.yml".as_ref(),
        "job: node\ntargets: [a:9100, b:9100, a:9100]\ninterval: 5s\nlabels: {zone: eu}\nsample_limit: 7",
        &|_| None,
    )
    .unwrap();
    let all = job.foreign(Duration::from_secs(15));
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].url, "http://b:9100/metrics");
    assert_eq!(
        all[1].timeout,
        Duration::from_secs(5),
        "never longer than the interval"
    );
    assert_eq!(all[1].target.limits.samples, 7);
    assert_eq!(all[1].target.labels["zone"], "eu");
    assert!(all[0].offset() < all[0].every && all[0].offset() != all[1].offset());
}

#[test]
fn a_secret_is_in_no_debug_text() {
    let job = Job {
        targets: vec!["a:1".into()],
        bearer_token: Secret::new("hunter2"),
        ..Job::default()
    };
    let text = format!("{job:?} {:?}", job.foreign(Duration::from_secs(15)));
    assert!(!text.contains("hunter2"));
}
