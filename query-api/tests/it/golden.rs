//! Answers, byte for byte or value for value.

use query_api::Runtime;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{Server, T0, escape, serve, source, store};

async fn text(server: &Server, path: &str) -> String {
    let response = server.request(Method::GET, path).send().await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/json",
        "{path}"
    );
    response.text().await.unwrap()
}

#[tokio::test]
async fn query_results_are_prometheus_json_to_the_byte() {
    let server = serve(source(store())).await;
    let odd = r#"{"__name__":"odd","path":"C:\\\"x\"\n","é":"€"}"#;
    for (query, result) in [
        ("1+1", r#""scalar","result":[1700000040,"2"]"#.to_owned()),
        ("1e-9", r#""scalar","result":[1700000040,"0.000000001"]"#.into()),
        ("-1/0", r#""scalar","result":[1700000040,"-Inf"]"#.into()),
        (r#""a\"b""#, r#""string","result":[1700000040,"a\"b"]"#.into()),
        ("none", r#""vector","result":[]"#.into()),
        ("vector(1)", r#""vector","result":[{"metric":{},"value":[1700000040,"1"]}]"#.into()),
        (
            "requests_total",
            r#""vector","result":[{"metric":{"__name__":"requests_total","code":"200","job":"api"},"value":[1700000040,"120"]}]"#.into(),
        ),
        (
            "odd[46s]",
            format!(
                r#""matrix","result":[{{"metric":{odd},"values":[[1699999995,"+Inf"],[1700000010,"-0.5"],[1700000025,"1e-09"],[1700000040,"NaN"]]}}]"#
            ),
        ),
    ] {
        let path = format!("/api/v1/query?query={}&time=1700000040", escape(query));
        let wanted = format!(r#"{{"status":"success","data":{{"resultType":{result}}}}}"#);
        assert_eq!(text(&server, &path).await, wanted, "{query}");
    }
    // The clock's time where none is stated, and a fraction of a second.
    let scalar = server.data("/api/v1/query?query=time()").await;
    assert_eq!(scalar["result"], json!([1_700_000_040, "1700000040"]));
    let at = "/api/v1/query?query=vector(time())&time=2023-11-14T22:14:00.5Z";
    let wanted = r#"[1700000040.500,"1700000040.5"]"#;
    assert!(text(&server, at).await.contains(wanted));
}

#[tokio::test]
async fn range_queries_give_a_matrix() {
    let server = serve(source(store())).await;
    let path =
        "/api/v1/query_range?query=requests_total&start=1699999740.001&end=1700000040&step=1m";
    let (_, answer) = server.get(path).await;
    let result = &answer["data"]["result"];
    assert_eq!(answer["data"]["resultType"], "matrix");
    assert_eq!(result.as_array().unwrap().len(), 1);
    let values = &result[0]["values"];
    assert_eq!(values[0], json!([1_699_999_740.001, "60"]));
    assert_eq!(values.as_array().unwrap().len(), 5);
    let scalar = server
        .data("/api/v1/query_range?query=1&start=0&end=2&step=1")
        .await;
    let wanted = json!([{ "metric": {}, "values": [[0, "1"], [1, "1"], [2, "1"]] }]);
    assert_eq!(scalar["result"], wanted);
}

#[tokio::test]
async fn annotations_limits_and_statistics_stand_beside_the_data() {
    let server = serve(source(store())).await;
    let (_, answer) = server.get("/api/v1/query?query=rate(odd[5m])").await;
    assert!(
        answer["infos"][0]
            .as_str()
            .unwrap()
            .contains("might not be a counter"),
        "{answer}"
    );
    let query = escape("sum(quantile_over_time(2, odd[5m]))");
    let (_, answer) = server.get(&format!("/api/v1/query?query={query}")).await;
    assert!(
        answer["warnings"][0]
            .as_str()
            .unwrap()
            .contains("between 0 and 1"),
        "{answer}"
    );
    for (path, list) in [
        (
            "/api/v1/query?query={__name__!=\"\"}&limit=1",
            "/data/result",
        ),
        (
            "/api/v1/query_range?query={__name__!=\"\"}&start=1699999500&end=1700000040&step=15&limit=1",
            "/data/result",
        ),
        ("/api/v1/series?match[]={__name__!=\"\"}&limit=1", "/data"),
        ("/api/v1/labels?limit=1", "/data"),
        ("/api/v1/label/__name__/values?limit=1", "/data"),
    ] {
        let (_, answer) = server.get(path).await;
        assert_eq!(
            answer.pointer(list).unwrap().as_array().unwrap().len(),
            1,
            "{answer}"
        );
        assert_eq!(
            answer["warnings"],
            json!(["results truncated due to limit"]),
            "{path}"
        );
        let (_, all) = server.get(&path.replace("limit=1", "limit=0")).await;
        assert!(all.get("warnings").is_none(), "{all}");
    }
    let data = server.data("/api/v1/query?query=1&stats=all").await;
    assert!(
        data["stats"]["timings"]["evalTotalTime"].is_number(),
        "{data}"
    );
    assert_eq!(data["result"][1], "1");
    // Six samples of one series in the window, and one value beside them.
    let data = server
        .data("/api/v1/query?query=count_over_time(odd[90s])&stats=true")
        .await;
    let samples = json!({ "totalQueryableSamples": 6, "peakSamples": 7 });
    assert_eq!(data["stats"]["samples"], samples);
    let data = server.data("/api/v1/query?query=odd").await;
    assert!(data.get("stats").is_none(), "{data}");
}

#[tokio::test]
async fn the_look_back_can_be_chosen() {
    let server = serve(source(store())).await;
    let count = async |extra: &str| {
        let path = format!("/api/v1/query?query=odd&time=1700000160{extra}");
        server.data(&path).await["result"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 1);
    assert_eq!(count("&lookback_delta=1m").await, 0);
    assert_eq!(count("&lookback_delta=0").await, 1);
}

#[tokio::test]
async fn series_names_and_values_are_listed() {
    let server = serve(source(store())).await;
    let all = json!(["__name__", "code", "job", "path", "é"]);
    for (path, wanted) in [
        ("labels", all),
        (
            "labels?match[]=requests_total",
            json!(["__name__", "code", "job"]),
        ),
        (
            "labels?match[]=odd&match[]=requests_total&start=0&end=1800000000",
            json!(["__name__", "code", "job", "path", "é"]),
        ),
        ("labels?start=0&end=1", json!([])),
        ("labels?match[]=none", json!([])),
        ("label/code/values", json!(["200", "500"])),
        ("label/code/values?start=1699999800", json!(["200"])),
        (
            "label/code/values?match[]=requests_total{code!=\"200\"}",
            json!(["500"]),
        ),
        ("label/%C3%A9/values", json!(["€"])),
        ("label/U___e9_/values", json!(["€"])),
        ("label/nope/values", json!([])),
        (
            "series?match[]=requests_total{code=\"500\"}",
            json!([{ "__name__": "requests_total", "code": "500", "job": "api" }]),
        ),
        (
            "series?match[]=requests_total&start=1699999800",
            json!([{ "__name__": "requests_total", "code": "200", "job": "api" }]),
        ),
        (
            "series?match[]=requests_total{code=\"200\"}&match[]={job=\"api\",code=\"200\"}",
            json!([{ "__name__": "requests_total", "code": "200", "job": "api" }]),
        ),
        ("series?match[]=none", json!([])),
    ] {
        assert_eq!(
            server.data(&format!("/api/v1/{path}")).await,
            wanted,
            "{path}"
        );
    }
}

#[tokio::test]
async fn queries_are_formatted_and_taken_apart() {
    let server = serve(source(store())).await;
    let formatted = server
        .data("/api/v1/format_query?query=sum%28x%29by%28a%29%2B1")
        .await;
    assert_eq!(formatted, "sum by (a) (x) + 1");
    let tree = server.data("/api/v1/parse_query?query=x").await;
    assert_eq!(
        (&tree["type"], &tree["name"]),
        (&json!("vectorSelector"), &json!("x"))
    );
    assert_eq!(
        server.data("/api/v1/query_exemplars?query=x").await,
        json!([])
    );
    assert_eq!(
        server.get("/api/v1/query_exemplars?query=1").await,
        (204, Value::Null)
    );
}

#[tokio::test]
async fn status_pages_have_prometheus_fields() {
    let mut source = source(store());
    source.config = Arc::new(|| "global: {}\npassword: <secret>\n".into());
    source
        .flags
        .insert("web.listen-address".into(), "127.0.0.1:9911".into());
    source.runtime = Arc::new(|| Runtime {
        start_ms: T0 - 1000,
        working_directory: "/".into(),
        hostname: "host".into(),
        reloaded: true,
        config_ms: T0 - 500,
        corruptions: 0,
        retention: "1d".into(),
    });
    let server = serve(source).await;
    let build = server.data("/api/v1/status/buildinfo").await;
    assert!(
        build["version"].as_str().unwrap().starts_with("3."),
        "{build}"
    );
    let config = server.data("/api/v1/status/config").await;
    assert_eq!(
        config,
        json!({ "yaml": "global: {}\npassword: <secret>\n" })
    );
    let flags = server.data("/api/v1/status/flags").await;
    assert_eq!(flags, json!({ "web.listen-address": "127.0.0.1:9911" }));
    let runtime = server.data("/api/v1/status/runtimeinfo").await;
    assert_eq!(runtime["startTime"], "2023-11-14T22:13:59Z");
    assert_eq!(runtime["serverTime"], "2023-11-14T22:14:00Z");
    assert_eq!(runtime["storageRetention"], "1d");
    let tsdb = server.data("/api/v1/status/tsdb?limit=2").await;
    assert_eq!(tsdb["headStats"]["numSeries"], 3);
    assert_eq!(tsdb["headStats"]["chunkCount"], 3);
    assert_eq!(tsdb["headStats"]["minTime"], T0 - 600_000);
    assert_eq!(tsdb["headStats"]["maxTime"], T0);
    assert_eq!(tsdb["headStats"]["numLabelPairs"], 7);
    let metrics = json!([{ "name": "requests_total", "value": 2 }, { "name": "odd", "value": 1 }]);
    assert_eq!(tsdb["seriesCountByMetricName"], metrics);
    assert_eq!(
        tsdb["seriesCountByLabelValuePair"][0],
        json!({ "name": "__name__=requests_total", "value": 2 })
    );
    assert_eq!(
        tsdb["labelValueCountByLabelName"][0],
        json!({ "name": "__name__", "value": 2 })
    );
    assert_eq!(tsdb["memoryInBytesByLabelName"][0]["name"], "__name__");
}
