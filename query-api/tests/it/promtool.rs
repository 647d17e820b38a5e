//! Debian's `promtool` asks us.

use crate::support::prometheus::promtool;
use crate::support::{serve, source, store};

async fn told(args: &[&str]) -> String {
    let output = promtool(args).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

#[tokio::test]
async fn promtool_queries_work() {
    let server = serve(source(store())).await;
    let url = server.url.as_str();
    let instant = told(&[
        "query",
        "instant",
        "--time=1700000040",
        url,
        "requests_total",
    ])
    .await;
    let wanted = "requests_total{code=\"200\", job=\"api\"} => 120 @[1700000040]\n";
    assert_eq!(instant, wanted);
    let scalar = told(&["query", "instant", "-o", "json", url, "1+1"]).await;
    assert!(scalar.contains("\"2\""), "{scalar}");
    let range = told(&[
        "query",
        "range",
        "--start=1699999980",
        "--end=1700000040",
        "--step=30s",
        url,
        "sum(requests_total)",
    ])
    .await;
    assert_eq!(
        range,
        "{} =>\n108 @[1699999980]\n114 @[1700000010]\n120 @[1700000040]\n"
    );
    let series = told(&[
        "query",
        "series",
        "--match=requests_total",
        "--start=1699990000",
        "--end=1700000040",
        url,
    ])
    .await;
    assert_eq!(series.lines().count(), 2, "{series}");
    let labels = told(&[
        "query",
        "labels",
        "--start=1699990000",
        "--end=1700000040",
        url,
        "code",
    ])
    .await;
    assert_eq!(labels, "200\n500\n");
    let wrong = promtool(&["query", "instant", url, "1+"]).await;
    assert!(!wrong.status.success());
    let fault = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(fault.contains("bad_data"), "{fault}");
}
