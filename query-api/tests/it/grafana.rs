//! The requests of Grafana's Prometheus data source, in its spelling.

use serde_json::json;

use crate::support::{serve, source, store};

#[tokio::test]
async fn its_health_check_is_a_posted_sum() {
    let server = serve(source(store())).await;
    let (status, answer) = server
        .post("/api/v1/query", "query=1%2B1&time=1700000040")
        .await;
    let wanted = json!({ "resultType": "scalar", "result": [1_700_000_040, "2"] });
    assert_eq!((status, &answer["data"]), (200, &wanted));
}

#[tokio::test]
async fn its_panels_post_queries_with_times_in_the_form() {
    let server = serve(source(store())).await;
    let form = "query=sum%28rate%28requests_total%7Bjob%3D%22api%22%7D%5B1m0s%5D%29%29&start=1699999440&end=1700000040&step=15";
    let (status, answer) = server.post("/api/v1/query_range", form).await;
    let result = &answer["data"]["result"];
    assert_eq!(
        (status, &answer["data"]["resultType"]),
        (200, &json!("matrix"))
    );
    assert_eq!(result[0]["metric"], json!({}));
    assert!(
        result[0]["values"].as_array().unwrap().len() > 30,
        "{answer}"
    );
    let (_, answer) = server
        .post(
            "/api/v1/query",
            "query=requests_total&time=2023-11-14T22%3A14%3A00.000Z",
        )
        .await;
    assert_eq!(
        answer["data"]["result"][0]["value"],
        json!([1_700_000_040, "120"])
    );
    // Older versions ask by GET.
    let old = format!("/api/v1/query_range?{form}");
    assert_eq!(server.data(&old).await["result"], *result);
    let (status, answer) = server
        .post(
            "/api/v1/query_exemplars",
            "query=requests_total&start=1699999440&end=1700000040",
        )
        .await;
    assert_eq!((status, &answer["data"]), (200, &json!([])));
}

#[tokio::test]
async fn its_editor_asks_for_labels_values_series_and_metadata() {
    let server = serve(source(store())).await;
    let range = "start=1699996440&end=1700000040";
    let (_, names) = server.post("/api/v1/labels", range).await;
    assert_eq!(
        names["data"],
        json!(["__name__", "code", "job", "path", "é"])
    );
    let (_, names) = server
        .post(
            "/api/v1/labels",
            &format!("{range}&match%5B%5D=%7B__name__%3D%22requests_total%22%7D&limit=40000"),
        )
        .await;
    assert_eq!(names["data"], json!(["__name__", "code", "job"]));
    let values = format!(
        "/api/v1/label/code/values?{range}&match%5B%5D=requests_total%7Bjob%3D%22api%22%7D"
    );
    assert_eq!(server.data(&values).await, json!(["200", "500"]));
    let values = format!("/api/v1/label/__name__/values?{range}&limit=40000");
    assert_eq!(server.data(&values).await, json!(["odd", "requests_total"]));
    let (_, series) = server
        .post(
            "/api/v1/series",
            &format!("{range}&match%5B%5D=requests_total"),
        )
        .await;
    assert_eq!(series["data"].as_array().unwrap().len(), 2);
    assert_eq!(server.data("/api/v1/metadata?limit=5000").await, json!({}));
}

#[tokio::test]
async fn its_alerting_pages_ask_for_rules_alerts_and_the_build() {
    let server = serve(source(store())).await;
    assert_eq!(server.data("/api/v1/rules").await, json!({ "groups": [] }));
    assert_eq!(
        server.data("/api/v1/rules?type=alert").await,
        json!({ "groups": [] })
    );
    assert_eq!(server.data("/api/v1/alerts").await, json!({ "alerts": [] }));
    let build = server.data("/api/v1/status/buildinfo").await;
    assert!(
        build["version"].is_string() && build.get("goVersion").is_some(),
        "{build}"
    );
}
