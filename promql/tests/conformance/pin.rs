//! The same question with its selectors pinned to a time by `@`.

use promql::Expr;

/// Functions whose result depends on the time of the evaluation itself.
const MOVING: [&str; 12] = [
    "time(",
    "timestamp(",
    "minute(",
    "hour(",
    "month(",
    "year(",
    "day_of_",
    "days_in_",
    "predict_linear",
    "start()",
    "end()",
    "sort",
];

pub(crate) fn moves(query: &str) -> bool {
    MOVING.iter().any(|function| query.contains(function))
}

/// Adds `@ time` behind every selector and subquery that has none; what is
/// inside a subquery stays as it is, for its times are the subquery's.
pub(crate) fn pin(query: &str, expr: &Expr, time_ms: i64) -> String {
    let mut ends = Vec::new();
    let mut inside: Vec<std::ops::Range<usize>> = Vec::new();
    for (open, _) in query.match_indices('[') {
        let close = open + query[open..].find(']').unwrap();
        if query[open..close].contains(':') {
            inside.push(operand_start(query, open)..open);
            ends.push(close + 1);
        }
    }
    for selector in expr.selectors() {
        let mut end = selector.span().end;
        let behind = query[end..].trim_start();
        if behind.starts_with('[') {
            end += query[end..].find(']').unwrap() + 1;
        }
        ends.push(end);
    }
    ends.retain(|end| {
        let contained = inside
            .iter()
            .any(|range| range.start < *end && *end <= range.end);
        !contained && !is_pinned(&query[*end..])
    });
    ends.sort_unstable();
    ends.dedup();
    let mut pinned = query.to_owned();
    for end in ends.into_iter().rev() {
        pinned.insert_str(end, &format!(" @ {}", time_ms as f64 / 1000.0));
    }
    pinned
}

fn is_pinned(behind: &str) -> bool {
    let behind = behind.trim_start();
    let behind = match behind.strip_prefix("offset") {
        Some(rest) => rest
            .trim_start()
            .trim_start_matches(|letter: char| letter == '-' || letter.is_ascii_alphanumeric())
            .trim_start(),
        None => behind,
    };
    behind.starts_with('@')
}

/// Where the operand of the bracket at `open` begins: a word, a word with
/// braces, or a group in parentheses with a function in front.
fn operand_start(query: &str, open: usize) -> usize {
    let bytes = query.as_bytes();
    let mut at = open;
    let mut depth = 0;
    while at > 0 {
        let byte = bytes[at - 1];
        match byte {
            b')' | b'}' => depth += 1,
            b'(' | b'{' if depth == 0 => break,
            b'(' | b'{' => depth -= 1,
            _ if depth > 0 => {}
            _ if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':' => {}
            _ => break,
        }
        at -= 1;
    }
    at
}
