//! Sequences of values as the files write them, durations, and comparison.

/// `1h30m` or seconds, in milliseconds.
pub(crate) fn duration_ms(text: &str) -> i64 {
    let expr = promql::parse(text).unwrap();
    let engine = promql::Engine::default();
    match engine
        .instant(&series::Store::new(), &expr, 0)
        .unwrap()
        .value
    {
        promql::Value::Scalar(seconds) => (seconds * 1000.0).round() as i64,
        other => panic!("{text} is no duration but {other:?}"),
    }
}

pub(crate) fn number(text: &str) -> Option<f64> {
    exposition::parse_value(text)
}

/// `1 2 _ stale 5x3 1+2x3`; native histograms are gaps here.
pub(crate) fn sequence(text: &str) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = if rest.starts_with("{{") {
            // Histograms hold blanks.
            let closed = rest.rfind("}}").unwrap();
            let mut end = rest.find("}}").unwrap() + 2;
            while rest[end..].starts_with("+{{") || rest[end..].starts_with("-{{") {
                end += rest[end..].find("}}").unwrap() + 2;
            }
            assert!(end <= closed + 2);
            end + rest[end..]
                .find(char::is_whitespace)
                .unwrap_or(rest[end..].len())
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        item(&rest[..end], &mut values);
        rest = rest[end..].trim_start();
    }
    values
}

fn item(item: &str, values: &mut Vec<Option<f64>>) {
    let body_end = item.rfind("}}").map_or(0, |at| at + 2);
    let (head, times) = match item[body_end..].rfind('x') {
        Some(at) => {
            let at = at + body_end;
            (&item[..at], item[at + 1..].parse().unwrap())
        }
        None => (item, 0),
    };
    if head == "_" || head.starts_with("{{") {
        let gaps = if head == "_" {
            usize::max(times, 1)
        } else {
            times + 1
        };
        values.extend(std::iter::repeat_n(None, gaps));
        return;
    }
    if head == "stale" {
        values.push(Some(exposition::stale()));
        return;
    }
    let (start, step) = number(head).map_or_else(|| split(head), |value| (value, 0.0));
    values.extend((0..=times).map(|at| Some(start + step * at as f64)));
}

/// `1+2` or `1-2`
fn split(head: &str) -> (f64, f64) {
    let at = head
        .match_indices(['+', '-'])
        .map(|(at, _)| at)
        .find(|at| *at > 0 && !head[..*at].ends_with(['e', 'E']))
        .unwrap();
    let step = head[at..].strip_prefix('+').unwrap_or(&head[at..]);
    (number(&head[..at]).unwrap(), number(step).unwrap())
}

pub(crate) fn same(left: f64, right: f64) -> bool {
    let equal = left.to_bits() == right.to_bits() || left == right;
    let near = (left - right).abs() <= 1e-6 * left.abs().max(right.abs());
    equal || (left.is_nan() && right.is_nan()) || near
}
