//! `/graph`, where the links in alerts lead: a picture and a table without a script.

use exposition::Labels;
use reqwest::Method;
use series::Store;

use crate::support::{Server, T0, escape, serve, source};

fn filled() -> Store {
    let store = Store::new();
    for at in 0..=240 {
        let time = T0 - (240 - at) * 15_000;
        for (part, value) in [("a", at as f64), ("b<", 2.5)] {
            let labels = Labels::from_pairs([("__name__", "x"), ("part", part)]);
            store.append(&labels, time, value).unwrap();
        }
        if at < 120 {
            let gone = Labels::from_pairs([("__name__", "gone")]);
            store.append(&gone, time, 1.0).unwrap();
        }
    }
    store
}

/// The status and the page; every one of them lets a browser run nothing.
async fn show(server: &Server, words: &str) -> (u16, String) {
    let request = server.request(Method::GET, &format!("/graph?{words}"));
    let response = request.send().await.unwrap();
    let policy = &response.headers()["content-security-policy"];
    assert!(policy.to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn an_expression_is_drawn_and_told() {
    let server = serve(source(filled())).await;
    for (expr, lines, told) in [
        (
            "x",
            2,
            vec![
                "x{part=&quot;a&quot;}</td><td>240</td>",
                "x{part=&quot;b&lt;&quot;}</td><td>2.5<",
            ],
        ),
        ("sum(x)", 1, vec!["{}</td><td>242.5</td>"]),
        ("x > 900", 0, vec!["No series fits at "]),
        (
            "x{part=\"a\"} < 100",
            1,
            vec!["No series fits at ", "<td>gone</td>"],
        ),
        ("gone", 1, vec!["gone</td><td>gone</td>"]),
        ("1 + 1", 1, vec![": <strong>2</strong>"]),
        ("x[5m]", 2, vec!["<td>240</td>"]),
        ("\"<a>\"", 0, vec![": <strong>&lt;a&gt;</strong>"]),
        ("sort_desc(x)", 2, vec!["<td>240</td>"]),
        ("rate(x[5m])", 2, vec!["might not be a counter"]),
    ] {
        let (status, page) = show(&server, &format!("g0.expr={}&g0.tab=1", escape(expr))).await;
        assert_eq!(status, 200, "{expr}");
        assert_eq!(
            page.matches("<path class=\"l").count(),
            lines,
            "{expr}\n{page}"
        );
        for text in told {
            assert!(page.contains(text), "{expr}: {text}\n{page}");
        }
        assert!(!page.contains("<script") && !page.contains("<a>"), "{expr}");
    }
}

#[tokio::test]
async fn what_cannot_be_shown_is_said_on_the_page_and_in_the_status() {
    let server = serve(source(filled())).await;
    for (words, status, told) in [
        ("", 200, "<textarea"),
        ("g0.expr=sum(x", 400, "role=\"alert\">"),
        ("g0.expr=x&g0.range_input=soon", 400, "range: cannot parse"),
        ("g0.expr=x&g0.end_input=soon", 400, "until: cannot parse"),
        ("g0.expr=x%20%2B%20on()%20x", 422, "many-to-many"),
        ("g0.expr=%zz", 400, "invalid URL escape"),
        // The samples and the picture are as far apart as times can be.
        (
            "g0.expr=x%5B5m%5D%20%40%201700000000&g0.end_input=-9300000000000000",
            200,
            "x{part=&quot;a&quot;}",
        ),
    ] {
        let (answered, page) = show(&server, words).await;
        assert_eq!(answered, status, "{words}");
        assert!(page.contains(told), "{words}\n{page}");
        assert!(page.contains("<form action=\"graph\""), "{words}");
    }
}

#[tokio::test]
async fn range_and_end_are_those_of_the_address() {
    let server = serve(source(filled())).await;
    let end = jiff::Timestamp::from_millisecond(T0 - 1_800_000).unwrap();
    let end = end.to_string().replace('T', "%20").replace('Z', "");
    let words = format!("g0.expr=x&g0.range_input=10m&g0.end_input={end}");
    let (_, page) = show(&server, &words).await;
    assert!(page.contains("<td>120</td>"), "{page}");
    assert!(page.contains("<option selected>10m</option>"), "{page}");
}
