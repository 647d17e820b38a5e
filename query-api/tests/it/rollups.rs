//! Charts that reach further back than memory does.

use std::sync::Arc;
use std::time::Duration;

use exposition::Labels;
use serde_json::Value;
use series::{Settings, Store};
use tempfile::TempDir;

use crate::support::{T0, escape, serve, source};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Three days of a gauge that peaks for a minute each hour, and of a counter,
/// with four hours of memory.
fn filled(dir: &TempDir) -> Store {
    let settings = Settings {
        retention: Duration::from_secs(4 * 3600),
        ..Settings::default()
    };
    let (store, _) = Store::open(dir.path(), settings);
    let [load, count, gone] = ["load", "count_total", "gone"]
        .map(|name| Labels::from_pairs([("__name__", name), ("host", "a")]));
    for at in 0..=72 * 60 {
        let time = T0 - (72 * 60 - at) * MINUTE;
        let peak = if at % 60 == 31 { 50.0 } else { 0.0 };
        store.append(&load, time, 1.0 + peak).unwrap();
        store.append(&count, time, at as f64 * 6.0).unwrap();
        if at < 600 {
            store.append(&gone, time, 1.0).unwrap();
        }
        if at % 15 == 0 {
            store.roll_up(time).unwrap();
            store.maintain(time);
        }
    }
    store
}

fn values(row: &Value) -> Vec<f64> {
    let points = row["values"].as_array().unwrap().iter();
    points
        .map(|point| point[1].as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_range_query_reaches_back_to_what_was_rolled_up() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(filled(&dir));
    let mut source = source(Store::new());
    source.store = Arc::clone(&store);
    let server = serve(source).await;
    let ask = async |query: &str| {
        let (start, end) = ((T0 - 70 * HOUR) / 1000, T0 / 1000);
        let path = format!(
            "/api/v1/query_range?query={}&start={start}&end={end}&step=3600",
            escape(query)
        );
        values(&server.data(&path).await["result"][0])
    };
    assert_eq!(ask("max_over_time(load[1h])").await, [51.0; 71]);
    assert_eq!(ask("min_over_time(load[1h])").await, [1.0; 71]);
    let mean = 1.0 + 50.0 / 60.0;
    for value in ask("avg_over_time(load[1h])").await {
        assert!((value - mean).abs() < 0.01, "{value}");
    }
    assert_eq!(ask("sum_over_time(load[1h])").await, [110.0; 71]);
    for value in ask("rate(count_total[1h])").await {
        assert!((value - 0.1).abs() < 1e-9, "{value}");
    }
    assert_eq!(ask("sum(load offset 10m)").await.len(), 71);
    // That is said, where it is so.
    let said = async |query: &str, hours: i64| {
        let (start, end) = ((T0 - hours * HOUR) / 1000, T0 / 1000);
        let path = format!("/api/v1/query_range?query={query}&start={start}&end={end}&step=3600");
        let (_, answer) = server.get(&path).await;
        answer["infos"].to_string()
    };
    assert!(
        said("load", 70)
            .await
            .contains("is read from roll-ups of five minutes")
    );
    assert_eq!(said("load", 3).await, "null");
    assert_eq!(said("nothing", 70).await, "null");
    // Where the question begins does not decide it: a window, an offset or a fixed
    // time may reach further back, or not as far.
    let rolled_up = "is read from roll-ups of five minutes";
    assert!(said("max_over_time(load[2d])", 1).await.contains(rolled_up));
    assert!(said("load%20offset%202d", 1).await.contains(rolled_up));
    assert!(
        said("load%20@%20start()%20offset%202d", 1)
            .await
            .contains(rolled_up)
    );
    assert_eq!(said("load%20@%20end()", 70).await, "null");
    // A picture says so too.
    let picture = async |range: &str| {
        let path = format!("/graph?g0.expr=load&g0.range_input={range}");
        let page = server.request(reqwest::Method::GET, &path).send().await;
        page.unwrap().text().await.unwrap()
    };
    assert!(picture("2d").await.contains(rolled_up));
    assert!(!picture("1h").await.contains(rolled_up));
    // At one time, and of what is long gone.
    let at = (T0 - 65 * HOUR) / 1000;
    let path = format!("/api/v1/query?query=gone&time={at}");
    let there = server.data(&path).await;
    assert_eq!(there["result"][0]["value"][1], "1");
    let listed = |from: i64| format!("/api/v1/series?match[]=gone&start={from}&end={}", from + 60);
    assert_eq!(server.data(&listed(at)).await[0]["host"], "a");
    let none = server.data(&listed(T0 / 1000 - 3600)).await;
    assert_eq!(none, serde_json::json!([]));
    let path = format!("/api/v1/labels?match[]=gone&start={at}&end={}", at + 60);
    assert_eq!(server.data(&path).await[1], "host");
}

#[test]
fn rules_wait_for_no_disk() {
    let dir = TempDir::new().unwrap();
    let store = filled(&dir);
    let engine = promql::Engine::default();
    let expr = promql::parse("count_over_time(load[3d])").unwrap();
    let answer = engine.instant(&store, &expr, T0).unwrap();
    let promql::Value::Vector(rows) = answer.value else {
        panic!("{answer:?}");
    };
    // Chunks go when all of them is old; roll-ups would add another 790.
    assert!(rows[0].1 <= 8.0 * 60.0, "{rows:?}");
}
