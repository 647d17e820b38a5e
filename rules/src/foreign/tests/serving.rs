//! Fetching from servers with every fault that we know of.

use std::future::pending;
use std::io::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap as Headers;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use exposition::Format;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const LIMIT: usize = 1000;

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

/// Pieces without an end.
fn endless() -> Response {
    let pieces = futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from("a_sample 1\n".repeat(1000)))
    });
    ([("content-type", "text/plain")], Body::from_stream(pieces)).into_response()
}

/// A body of which one piece comes and then nothing.
fn stuck() -> Response {
    use futures_util::StreamExt as _;
    let first = futures_util::stream::once(async { Ok::<_, std::io::Error>("a 1\n") });
    let pieces = first.chain(futures_util::stream::pending());
    ([("content-type", "text/plain")], Body::from_stream(pieces)).into_response()
}

fn typed(kind: &'static str, page: &'static str) -> Response {
    ([("content-type", kind)], page).into_response()
}

fn gzip(bytes: impl Into<Bytes>) -> Response {
    (
        [("content-type", "text/plain"), ("content-encoding", "gzip")],
        bytes.into(),
    )
        .into_response()
}

/// A server whose paths are its moods.
async fn serve() -> SocketAddr {
    let asked = |headers: Headers| async move {
        let of = |name: &str| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        format!(
            "asked{{auth={:?},timeout={:?},packing={:?}}} 1\n",
            of("authorization").unwrap_or_default(),
            of("x-prometheus-scrape-timeout-seconds").unwrap_or_default(),
            of("accept-encoding").unwrap_or_default()
        )
    };
    let accept =
        |headers: Headers| async move { headers["accept"].to_str().unwrap().replace(',', "\n# ") };
    // Not while it is waited for: packing takes a slow machine long.
    let bomb = Bytes::from(packed(&vec![b'\n'; 64 << 20]));
    let app = Router::new()
        .route("/metrics", get(asked))
        .route("/accept", get(accept))
        .route("/html", get(|| async { typed("text/html", "<p>") }))
        .route(
            "/open",
            get(|| async {
                typed(
                    "application/openmetrics-text; version=1.0.0",
                    "a 1\n# EOF\n",
                )
            }),
        )
        .route(
            "/silent-about-it",
            get(|| async { Response::new(Body::from("a 1\n")) }),
        )
        .route(
            "/bytes",
            get(|| async { ([("content-type", "text/plain")], [0xff_u8, 0xfe]) }),
        )
        .route("/large", get(|| async { "# a long remark\n".repeat(1000) }))
        .route("/endless", get(|| async { endless() }))
        .route("/gzip", get(|| async { gzip(packed(b"a 1\n")) }))
        .route(
            "/two-gzips",
            get(|| async { gzip([packed(b"a 1\n"), packed(b"b 2\n")].concat()) }),
        )
        .route("/bomb", get(|| async { gzip(bomb) }))
        .route(
            "/half-gzip",
            get(|| async {
                let mut bytes = packed(b"a 1\n");
                bytes.truncate(bytes.len() - 9);
                gzip(bytes)
            }),
        )
        .route("/no-gzip", get(|| async { gzip(b"a 1\n".to_vec()) }))
        .route(
            "/brotli",
            get(|| async {
                (
                    [("content-type", "text/plain"), ("content-encoding", "br")],
                    "x",
                )
            }),
        )
        .route("/away", get(|| async { Redirect::temporary("/gzip") }))
        .route("/circle", get(|| async { Redirect::temporary("/circle") }))
        .route("/stuck", get(|| async { stuck() }))
        .route("/silent", get(pending::<String>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A server that answers every request with these bytes and hangs up.
async fn blunt(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

fn at(address: SocketAddr, path: &str) -> Job {
    Job {
        targets: vec![address.to_string()],
        path: path.into(),
        timeout: Some(Duration::from_secs(9)),
        body_limit: Size(LIMIT as u64),
        ..Job::default()
    }
}

async fn fetch(job: &Job) -> Result<Fetched, String> {
    let target = looked(job).targets.remove(0);
    let client = Clients::default().of(&target).unwrap();
    target.fetch(&client).await
}

async fn text(job: &Job) -> Result<String, String> {
    fetch(job).await.map(|page| page.text)
}

#[tokio::test]
async fn a_page_comes_with_the_credentials_that_were_given() {
    let address = serve().await;
    let plain = at(address, "/metrics");
    let bearer = Job {
        bearer_token: Secret::new("t0k").into(),
        ..plain.clone()
    };
    let basic = Job {
        username: "u".into(),
        password: Secret::new("p").into(),
        ..plain.clone()
    };
    let long = Job {
        basic_auth: Some(BasicAuth {
            username: "u".into(),
            password: Secret::new("p").into(),
        }),
        ..plain.clone()
    };
    let other = Job {
        authorization: Some(Authorization {
            r#type: "Token".into(),
            credentials: Secret::new("t0k").into(),
        }),
        ..plain.clone()
    };
    for (job, auth) in [
        (plain, ""),
        (bearer, "Bearer t0k"),
        (basic, "Basic dTpw"),
        (long, "Basic dTpw"),
        (other, "Token t0k"),
    ] {
        let page = text(&job).await.unwrap();
        assert_eq!(
            page,
            format!("asked{{auth={auth:?},timeout=\"9\",packing=\"gzip\"}} 1\n")
        );
    }
    let unpacked = Job {
        enable_compression: false,
        ..at(address, "/metrics")
    };
    assert!(text(&unpacked).await.unwrap().contains("packing=\"\""));
}

#[tokio::test]
async fn credentials_in_a_file_are_those_that_it_holds_when_a_page_is_asked_for() {
    let address = serve().await;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("credentials");
    let file_at = file.display();
    for (keys, first, second) in [
        (
            format!("bearer_token_file: {file_at}"),
            "Bearer first",
            "Bearer second",
        ),
        (
            format!("authorization: {{type: Token, credentials_file: {file_at}}}"),
            "Token first",
            "Token second",
        ),
        (
            format!("basic_auth: {{username: u, password_file: {file_at}}}"),
            "Basic dTpmaXJzdA==",
            "Basic dTpzZWNvbmQ=",
        ),
    ] {
        // Nobody opens it before a page is asked for.
        let job = job(&format!("targets: ['{address}']\n{keys}"));
        let target = looked(&job).targets.remove(0);
        let client = Clients::default().of(&target).unwrap();
        for (token, auth) in [("first\n", first), ("second\n", second)] {
            std::fs::write(&file, token).unwrap();
            let page = target.fetch(&client).await.unwrap().text;
            assert!(page.contains(&format!("auth={auth:?}")), "{page}");
        }
        std::fs::remove_file(&file).unwrap();
        let err = target.fetch(&client).await.unwrap_err();
        assert!(
            err.starts_with("cannot read the file of the credentials: "),
            "{err}"
        );
    }
}

#[tokio::test]
async fn both_formats_are_asked_for_and_told_apart() {
    let address = serve().await;
    let accept = text(&at(address, "/accept")).await.unwrap();
    assert!(
        accept.starts_with("application/openmetrics-text;version=1.0.0"),
        "{accept}"
    );
    assert!(accept.contains("text/plain;version=0.0.4"), "{accept}");
    let plain = Job {
        scrape_protocols: vec![Offer::Text004, Offer::Proto, Offer::OpenMetrics001],
        ..at(address, "/accept")
    };
    assert_eq!(
        text(&plain).await.unwrap(),
        "text/plain;version=0.0.4;q=0.9\n# application/openmetrics-text;version=0.0.1;q=0.8\n# */*;q=0.1"
    );
    for (path, format) in [("/open", Format::OpenMetrics), ("/metrics", Format::Text)] {
        assert_eq!(fetch(&at(address, path)).await.unwrap().format, format);
    }
    let text = Job {
        fallback_scrape_protocol: Some(Protocol::Text004),
        ..at(address, "/silent-about-it")
    };
    let open = Job {
        fallback_scrape_protocol: Some(Protocol::OpenMetrics100),
        ..at(address, "/html")
    };
    assert_eq!(fetch(&text).await.unwrap().format, Format::Text);
    assert_eq!(fetch(&open).await.unwrap().format, Format::OpenMetrics);
}

#[tokio::test]
async fn packed_pages_and_redirects_are_followed() {
    let address = serve().await;
    for (path, page) in [
        ("/gzip", "a 1\n"),
        ("/two-gzips", "a 1\nb 2\n"),
        ("/away", "a 1\n"),
    ] {
        assert_eq!(
            text(&at(address, path)).await.as_deref(),
            Ok(page),
            "{path}"
        );
    }
    let stay = Job {
        follow_redirects: false,
        ..at(address, "/away")
    };
    let err = text(&stay).await.unwrap_err();
    assert_eq!(err, "the target answered 307 Temporary Redirect");
}

#[tokio::test]
async fn whatever_goes_wrong_is_told_in_words() {
    let address = serve().await;
    for (path, why) in [
        ("/nothing", "the target answered 404 Not Found"),
        (
            "/html",
            "the page is \"text/html\", neither text/plain nor OpenMetrics; fallback_scrape_protocol would take it for one",
        ),
        (
            "/silent-about-it",
            "the page does not say what it is; fallback_scrape_protocol would say it",
        ),
        ("/bytes", "the page is not UTF-8"),
        ("/large", "the page is larger than 1000 bytes"),
        ("/endless", "the page is larger than 1000 bytes"),
        ("/bomb", "the page is larger than 1000 bytes"),
        ("/brotli", "the page is packed as br, not as gzip"),
        ("/circle", "too many redirects"),
    ] {
        assert_eq!(text(&at(address, path)).await, Err(why.into()), "{path}");
    }
    for path in ["/half-gzip", "/no-gzip"] {
        let err = text(&at(address, path)).await.unwrap_err();
        assert!(err.starts_with("the page cannot be unpacked"), "{err}");
    }
    for path in ["/silent", "/stuck"] {
        let slow = Job {
            timeout: Some(Duration::from_millis(50)),
            ..at(address, path)
        };
        assert_eq!(text(&slow).await, Err("no page within 50ms".into()));
    }
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let err = text(&at(nobody, "/metrics")).await.unwrap_err();
    assert!(err.contains("refused"), "{err}");
}

#[tokio::test]
async fn a_page_that_was_cut_off_is_no_page() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\na 1\nb 2\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n8\r\na 1\nb 2\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-ty",
        "",
    ] {
        let address = blunt(answer).await;
        let err = text(&at(address, "/metrics")).await.unwrap_err();
        assert!(!err.is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_target_is_scraped_again_and_again_until_told_to_stop() {
    let address = serve().await;
    let mut target = looked(&at(address, "/metrics")).targets.remove(0);
    target.every = Duration::from_millis(20);
    let client = Clients::default().of(&target);
    for (client, works) in [(client, true), (Err("no such file".to_owned()), false)] {
        let stop = CancellationToken::new();
        let mut pages = 0;
        let take = |page: Result<&Fetched, &str>, _| {
            assert_eq!(page.is_ok(), works);
            pages += 1;
            if pages == 3 {
                stop.cancel();
            }
        };
        target.run(&client, 0, &stop, take).await;
        assert_eq!(pages, 3);
    }
}
