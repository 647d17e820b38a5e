//! What both are asked, and what may differ.

use serde_json::Value;

use crate::support::escape;

pub(super) struct Question {
    pub(super) path: String,
    pub(super) form: Option<&'static str>,
}

const QUERIES: [&str; 44] = [
    "1+1",
    "-1/0",
    "1e-9",
    "1e21",
    "time()",
    "\"text \\\" \\\\\"",
    "none",
    "up",
    "requests_total",
    "temperature_celsius",
    "tiny",
    "{__name__=~\"requests.*|temp.*\"}",
    "{job=\"page\",zone!=\"there\"}",
    "requests_total[7s]",
    "temperature_celsius{room!=\"y\"}[5s:1s]",
    "requests_total offset 3s",
    "requests_total{code=\"500\"}",
    "requests_total{code=\"500\"}[9s]",
    "count_over_time({job=\"page\"}[8s])",
    "rate(requests_total[5s])",
    "changes(up[8s])",
    "sum by (code) (requests_total)",
    "sum without (path, instance) (requests_total)",
    "topk(2, requests_total)",
    "bottomk(1, requests_total)",
    "quantile(0.5, temperature_celsius)",
    "count_values(\"v\", requests_total)",
    "histogram_quantile(0.9, latency_seconds_bucket)",
    "label_replace(up, \"x\", \"$1-y\", \"job\", \"(p).*\")",
    "label_join(up, \"x\", \"/\", \"job\", \"zone\")",
    "up == bool 1",
    "requests_total > 5",
    "requests_total / on(path, code, instance) group_left requests_total",
    "up or requests_total",
    "requests_total and on(code) requests_total{code=\"200\"}",
    "absent(none{a=\"b\"})",
    "sort_desc(requests_total)",
    "scalar(tiny)",
    "vector(tiny * 0)",
    "timestamp(up)",
    "code:requests:sum",
    "ALERTS",
    "ALERTS{alertname=\"Pending\"}",
    "scrape_samples_scraped",
];

/// All questions, about times up to `time` in milliseconds.
pub(super) fn all(time: i64) -> Vec<Question> {
    let seconds = |time: i64| format!("{}.{:03}", time / 1000, time % 1000);
    let (from, to) = (seconds(time - 8000), seconds(time));
    let mut paths = Vec::new();
    for query in QUERIES {
        let query = escape(query);
        paths.push(format!("query?query={query}&time={to}"));
        paths.push(format!(
            "query_range?query={query}&start={from}&end={to}&step=1"
        ));
        // 2.42 prints small and large numbers with an exponent.
        if !query.starts_with("1e") {
            paths.push(format!("format_query?query={query}"));
        }
    }
    let range = format!("start={from}&end={to}");
    for path in [
        "series?match[]=requests_total",
        "series?match[]=up&match[]={job=\"page\"}",
        "series?match[]=none",
        "labels?a=b",
        "labels?match[]=requests_total",
        "labels?match[]=up&match[]=tiny",
        "label/code/values?a=b",
        "label/job/values?match[]=up",
        "label/__name__/values?match[]={job=\"page\"}&match[]=ALERTS",
        "label/none/values?a=b",
        "query_exemplars?query=up",
        "query_exemplars?query=1",
    ] {
        paths.push(format!("{path}&{range}"));
    }
    // Wrong ones.
    for path in [
        "query",
        "query?query=1%2B",
        "query?query=up[5m",
        "query?query=sum(",
        "query?query=rate(up)",
        "query?query=1&time=x",
        "query?query=1&timeout=x",
        "query?query=up&timeout=0",
        "query?query=1&time=1e400",
        "query_range",
        "query_range?query=1&start=1&end=0&step=1",
        "query_range?query=1&start=0&end=1&step=0",
        "query_range?query=1&start=0&end=1&step=x",
        "query_range?query=1&start=0&end=11000&step=1",
        "query_range?query=1&start=0&end=11001&step=1",
        "query_range?query=up[5m]&start=0&end=1&step=1",
        "query_range?query=\"a\"&start=0&end=1&step=1",
        "series",
        "series?match[]=",
        "series?match[]=up[5m]",
        "series?match[]={}",
        "series?match[]=up&start=x",
        "labels?match[]={",
        "labels?match[]={a=\"\"}",
        "labels?end=x",
        "label/job/values?match[]=x[",
        "label/job/values?start=x",
        "metadata?limit=x",
        "targets/metadata?limit=x",
        "targets/metadata?match_target=1",
        "rules?type=x",
        "format_query?query=)",
        "format_query",
        "query_exemplars?query=(",
        "query_exemplars?query=up&start=2&end=1",
        "none",
        "query?query=up%2Bon(job)requests_total",
    ] {
        paths.push(path.to_owned());
    }
    let gets = paths.into_iter().map(|path| Question {
        path: format!("/api/v1/{path}"),
        form: None,
    });
    let posts = [
        ("query?time=1", "query=1%2B1"),
        ("query?query=2&time=1", "query=1&time=2"),
        (
            "query_range",
            "query=vector(time())&start=1&end=2.5&step=500ms",
        ),
        ("series", "match%5B%5D=none"),
        ("labels", "match%5B%5D=none"),
        ("format_query", "query=sum(a)by(b)"),
        ("query", "query=%zz"),
        ("rules", ""),
    ];
    let posts = posts.into_iter().map(|(path, form)| Question {
        path: format!("/api/v1/{path}"),
        form: Some(form),
    });
    gets.chain(posts).collect()
}

/// Questions that ask as well how many samples they took.
pub(super) fn with_statistics(time: i64) -> Vec<String> {
    let seconds = |time: i64| format!("{}.{:03}", time / 1000, time % 1000);
    let (from, to) = (seconds(time - 8000), seconds(time));
    let both = |query: &str| {
        let query = escape(query);
        let range = format!("start={from}&end={to}&step=1");
        [
            format!("/api/v1/query?query={query}&time={to}&stats=all"),
            format!("/api/v1/query_range?query={query}&{range}&stats=true"),
        ]
    };
    QUERIES.into_iter().flat_map(both).collect()
}

/// An answer without what may differ: the words of an error, annotations (2.42
/// has none), and the order of series where none is promised.
pub(super) fn comparable((status, mut answer): (u16, Value)) -> Value {
    if let Some(object) = answer.as_object_mut() {
        for name in ["warnings", "infos", "error"] {
            object.remove(name);
        }
    }
    if answer["data"]["resultType"] == "vector"
        && let Some(rows) = answer["data"]["result"].as_array_mut()
    {
        rows.sort_by_key(|row| row["metric"].to_string());
    }
    if let Some(rows) = answer["data"].as_array_mut() {
        rows.sort_by_key(Value::to_string);
    }
    serde_json::json!([status, answer])
}
