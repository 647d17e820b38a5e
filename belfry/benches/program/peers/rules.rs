//! Two hundred rules of the kinds that hosts have, none of which fires.

use std::fmt::Write as _;

use super::pages::{FAMILIES, name};

const ALERTS: usize = 150;
const RECORDS: usize = 50;
const IN_GROUP: usize = 10;

/// A rule file for all of them, in groups of ten.
pub(crate) fn file() -> String {
    let mut out = String::from("groups:\n");
    for at in 0..ALERTS + RECORDS {
        if at % IN_GROUP == 0 {
            let group = at / IN_GROUP;
            let _ = write!(
                out,
                "  - name: group-{group}\n    interval: 15s\n    rules:\n"
            );
        }
        let _ = match at < ALERTS {
            true => writeln!(
                out,
                "      - {{alert: Bench{at}, expr: '{}', for: 1m, labels: {{severity: warning}}}}",
                alert(at)
            ),
            false => writeln!(
                out,
                "      - {{record: 'bench:{at}:rate5m', expr: 'sum by (instance) (rate({}[5m]))'}}",
                of_kind(at, 1)
            ),
        };
    }
    out
}

/// The name of a family of this kind, another for each number.
fn of_kind(number: usize, kind: usize) -> String {
    // The last family is the histogram.
    name(number % (FAMILIES / 4 - 1) * 4 + kind)
}

fn alert(at: usize) -> String {
    let number = at / 10;
    let (limit, counter) = (of_kind(number, 0), of_kind(number, 1));
    let (size, reading) = (of_kind(number, 2), of_kind(number, 3));
    match at % 10 {
        0 => format!("rate({counter}[5m]) > 1e9"),
        1 => format!("avg by (instance, device) ({size}) > 1e15"),
        2 => format!("{size} / {limit} > 1e12").replace(" / ", " / on (instance, device, mode) "),
        3 => format!("max_over_time({reading}[10m]) > 1e15"),
        4 => format!("sum by (instance) (increase({counter}[5m])) > 1e15"),
        5 => format!("predict_linear({size}[15m], 3600) < -1e15"),
        6 => format!("absent({limit}{{device=\"disk-00\"}})"),
        7 => format!("{reading} > 1e15 and on (instance) up == 1"),
        8 => format!("count by (mode) ({size} == 0) > 1e6"),
        _ => format!("abs(delta({reading}[10m])) > 1e15"),
    }
}
