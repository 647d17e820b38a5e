//! PromQL.

use crate::{NOW, engine, store};

/// Reads an expression, prints it, reads that, and evaluates it.
///
/// # Panics
/// If what was printed does not mean the same, or cannot be read.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(expr) = promql::parse(&text) else {
        return;
    };
    let printed = expr.to_string();
    let again = promql::parse(&printed);
    let again = again.map(|again| again.to_string());
    assert_eq!(again.as_ref(), Ok(&printed), "{text}");
    let laid_out = promql::parse(&expr.pretty()).map(|pretty| pretty.to_string());
    assert_eq!(laid_out, Ok(printed), "{text}");
    let (engine, store) = (engine(), store());
    // An error is an answer too.
    let _ = engine.instant(&store, &expr, NOW);
    let _ = engine.range(&store, &expr, NOW - 200_000, NOW, 33_000);
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    crate::texts(&[
        r#"sum by (host, "l.x") (rate(x_total{host=~"a.*", c!="d"}[5m] offset -1h @ end())) > bool 0.5"#,
        "topk(3, up / on(host) group_left(le) x_total) unless ignoring(z) up or -up ^ 2 atan2 Inf",
        r#"label_replace(up, "d", '$1', `host`, "(.*)") # remark"#,
        "max_over_time((up + 1e3)[1h30m:5m] @ 1700000000 offset 0x1f)",
        "histogram_quantile(.9, sum without (host) (rate(x_bucket[2m])))",
        "count_values(\"v\", {__name__=~\"\\\\Qup\\\\E|x.*\"}) + 017",
        "quantile_over_time(0.5, up[3m]) == on() group_right() predict_linear(x_total[4m], 3600)",
        "absent(nothing{a=\"b\"}) or sort_desc(up) and clamp(up, 0, 1) or day_of_week()",
    ])
}
