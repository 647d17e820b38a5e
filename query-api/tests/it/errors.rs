//! Every kind of error: its status, its type and its words.

use std::time::Duration;

use serde_json::Value;

use crate::support::{serve, source, store};

fn parts((status, answer): (u16, Value)) -> (u16, String, String) {
    assert_eq!(answer["status"], "error", "{answer}");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (status, text("errorType"), text("error"))
}

#[tokio::test]
async fn wrong_parameters_are_bad_data_and_say_which() {
    let server = serve(source(store())).await;
    let range = "query_range?query=1";
    for (path, says) in [
        (
            "query",
            "invalid parameter \"query\": 1:1: parse error: no expression found in input",
        ),
        (
            "query?query=1%2B",
            "invalid parameter \"query\": 1:3: parse error: unexpected end of input",
        ),
        ("query?query=%FF", "not valid UTF-8"),
        ("query?query=%zz", "invalid URL escape"),
        (
            "query?query=1&time=x",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp",
        ),
        (
            "query?query=1&timeout=x",
            "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration",
        ),
        (
            "query?query=1&limit=-1",
            "invalid parameter \"limit\": limit must be non-negative",
        ),
        ("query?query=1&limit=x", "invalid parameter \"limit\": "),
        (
            "query?query=1&lookback_delta=x",
            "error parsing lookback delta duration: cannot parse \"x\"",
        ),
        (
            &format!("{range}&end=1&step=1"),
            "invalid parameter \"start\": cannot parse \"\" to a valid timestamp",
        ),
        (
            &format!("{range}&start=1&end=0&step=1"),
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            &format!("{range}&start=0&end=1&step=0"),
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            &format!("{range}&start=0&end=1&step=-1"),
            "invalid parameter \"step\": zero or negative",
        ),
        (
            &format!("{range}&start=0&end=1&step=0.0001"),
            "invalid parameter \"step\": zero or negative",
        ),
        (
            &format!("{range}&start=0&end=11001&step=1"),
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            &format!("{range}&start=-1e15&end=1e15&step=1"),
            "exceeded maximum resolution",
        ),
        (
            "query_range?query=x[5m]&start=0&end=1&step=1",
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
        ),
        (
            "query_range?query=\"x\"&start=0&end=1&step=1",
            "invalid parameter \"query\": invalid expression type \"string\"",
        ),
        ("series", "no match[] parameter provided"),
        (
            "series?match[]=x[5m]",
            "invalid parameter \"match[]\": 1:1: parse error",
        ),
        (
            "series?match[]=x&start=a",
            "invalid parameter \"start\": invalid time value for 'start'",
        ),
        ("labels?match[]={", "parse error"),
        ("labels?end=a", "invalid parameter \"end\""),
        (
            "label/job/values?match[]={x=\"\"}",
            "must contain at least one non-empty matcher",
        ),
        ("metadata?limit=x", "limit must be a number"),
        (
            "metadata?limit_per_metric=x",
            "limit_per_metric must be a number",
        ),
        (
            "targets/metadata?match_target=1",
            "invalid parameter \"match_target\"",
        ),
        (
            "rules?type=x",
            "invalid parameter \"type\": not supported value \"x\"",
        ),
        (
            "rules?exclude_alerts=x",
            "invalid parameter \"exclude_alerts\"",
        ),
        ("rules?match[]=1", "parse error"),
        (
            "rules?group_limit=0",
            "group_limit needs to be greater than 0",
        ),
        (
            "rules?group_limit=x",
            "group_limit needs to be a valid number",
        ),
        (
            "rules?group_next_token=x",
            "group_limit needs to be present",
        ),
        (
            "rules?group_limit=1&group_next_token=x",
            "invalid group_next_token 'x'",
        ),
        ("status/tsdb?limit=0", "limit must be a positive number"),
        ("status/tsdb?limit=10001", "limit must not exceed 10000"),
        (
            "format_query?query=)",
            "invalid parameter \"query\": 1:1: parse error",
        ),
        (
            "parse_query?query=)",
            "invalid parameter \"query\": 1:1: parse error",
        ),
        (
            "query_exemplars?query=x&start=2&end=1",
            "end timestamp must not be before start timestamp",
        ),
    ] {
        let (status, kind, error) = parts(server.get(&format!("/api/v1/{path}")).await);
        assert_eq!(
            (status, kind.as_str()),
            (400, "bad_data"),
            "{path}: {error}"
        );
        assert!(error.contains(says), "{path}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_evaluated_is_an_execution_error() {
    let mut source = source(store());
    source.limits.samples = 100;
    let server = serve(source).await;
    for (path, says) in [
        (
            "query?query=requests_total%2Bon(job)requests_total%20offset%208m",
            "many-to-many matching not allowed",
        ),
        (
            "query_range?query=odd&start=1699999440&end=1700000040&step=1",
            "query processing would load too many samples into memory in query execution",
        ),
        (
            "query?query=max_over_time(odd[10m])%2Bcount_over_time({__name__!=\"\"}[10m])%2Bcount_over_time({__name__!=\"\"}[10m:1s])",
            "too many samples",
        ),
    ] {
        let (status, kind, error) = parts(server.get(&format!("/api/v1/{path}")).await);
        assert_eq!(
            (status, kind.as_str()),
            (422, "execution"),
            "{path}: {error}"
        );
        assert!(error.contains(says), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_a_timeout() {
    let server = serve(source(store())).await;
    for path in [
        "query?query=odd&timeout=0",
        "query?query=odd&timeout=-1",
        "series?match[]=odd&timeout=0",
    ] {
        let (status, kind, error) = parts(server.get(&format!("/api/v1/{path}")).await);
        assert_eq!((status, kind.as_str()), (503, "timeout"), "{path}: {error}");
    }
    let mut source = source(store());
    source.limits.timeout = Duration::ZERO;
    let server = serve(source).await;
    let (status, kind, _) = parts(server.get("/api/v1/query?query=odd").await);
    assert_eq!((status, kind.as_str()), (503, "timeout"));
}

#[tokio::test]
async fn other_addresses_and_methods_are_not_served() {
    let server = serve(source(store())).await;
    let status = async |method: &str, path: &str| {
        let method = method.parse().unwrap();
        let response = server.request(method, path).send().await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status("GET", "/api/v1/none").await, 404);
    assert_eq!(status("GET", "/api/v1/write").await, 405);
    assert_eq!(status("DELETE", "/api/v1/query").await, 405);
    assert_eq!(status("POST", "/api/v1/rules").await, 405);
    assert_eq!(
        status("POST", "/api/v1/admin/tsdb/delete_series").await,
        404
    );
}
