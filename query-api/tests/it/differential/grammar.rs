//! Queries, made by a grammar.
//!
//! Values are exact or not. What jumps (comparisons, `floor`, `%`, a divisor) is
//! only asked of exact ones: elsewhere the last bit, in which two programs may
//! differ, would decide. Left out is what 3.x changed on purpose: subqueries
//! whose windows begin on a step, deviations of infinities, `rate` over gaps, and
//! the sign of a sum that is zero.

use super::Chance;
use crate::support::T0;

/// How deep an expression nests.
const DEPTH: usize = 3;

/// None a multiple of 15 s, as all steps are.
const SUBQUERIES: [&str; 4] = ["61s", "97s", "301s", "691s"];
const RANGES: [&str; 6] = ["30s", "1m", "90s", "5m", "10m", "17m"];
const STEPS: [&str; 3] = ["30s", "1m", "45s"];
const NUMBERS: [&str; 11] = [
    "0", "1", "2", "-1", "0.5", "3", "10", "1e3", "NaN", "Inf", "-0.25",
];
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];

pub(super) struct Grammar<'a> {
    chance: &'a mut Chance,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(chance: &'a mut Chance) -> Self {
        Self { chance }
    }

    /// A whole query.
    pub(super) fn query(&mut self) -> String {
        let depth = 1 + self.chance.below(DEPTH);
        match self.chance.below(40) {
            0 => format!("scalar({})", self.exact(depth)),
            1 => format!("sort_desc({})", self.exact(depth)),
            2 => format!("{} + time()", self.number()),
            3..=20 => self.exact(depth),
            _ => self.any(depth),
        }
    }

    fn number(&mut self) -> &'static str {
        self.chance.of(&NUMBERS)
    }

    fn matchers(&mut self) -> &'static str {
        if self.chance.percent(60) {
            return "";
        }
        self.chance.of(&[
            r#"{a="1"}"#,
            r#"{a!="2"}"#,
            r#"{a=~"1|2"}"#,
            r#"{b="x"}"#,
            r#"{c=""}"#,
            r#"{c!=""}"#,
            r#"{c=~"p|"}"#,
            r#"{a!~"3"}"#,
            r#"{b=~".+"}"#,
            r#"{a="1",b!="y"}"#,
        ])
    }

    fn selector(&mut self) -> String {
        let names = [
            "wild",
            "wild",
            "requests_total",
            "plain",
            "steady_total",
            "info",
            "one",
            "none",
        ];
        let name = self.chance.of(&names);
        format!("{name}{}", self.matchers())
    }

    /// `offset` and `@`.
    fn when(&mut self) -> String {
        match self.chance.below(20) {
            0..=3 => format!(" offset {}", self.chance.of(&["1m", "-1m", "7m", "33s"])),
            4 => format!(" @ {}.007", T0 / 1000 + self.chance.below(3600) as i64),
            5 => self
                .chance
                .of(&[" @ start()", " @ end()", " @ end() offset 2m"])
                .into(),
            _ => String::new(),
        }
    }

    fn range(&mut self, depth: usize) -> String {
        if depth > 1 && self.chance.percent(30) {
            let inner = self.exact(depth - 2);
            let (range, step) = (self.chance.of(&SUBQUERIES), self.chance.of(&STEPS));
            let offset = self.chance.of(&["", "", " offset 1m", " offset 33s"]);
            return format!("({inner})[{range}:{step}]{offset}");
        }
        let (selector, range, when) = (self.selector(), self.chance.of(&RANGES), self.when());
        format!("{selector}[{range}]{when}")
    }

    fn grouping(&mut self) -> String {
        if self.chance.percent(30) {
            return String::new();
        }
        let word = self.chance.of(&["by", "without"]);
        let labels = self
            .chance
            .of(&["a", "a, b", "c", "b, c", "version", "a, c", ""]);
        format!(" {word} ({labels}) ")
    }

    fn matching(&mut self) -> &'static str {
        self.chance.of(&[
            "",
            "",
            "",
            "on(a)",
            "on(a, b)",
            "ignoring(c)",
            "ignoring(b, c)",
            "on()",
            "on(a, b, c)",
            "on(a) group_left",
            "on(a) group_left(version)",
            "on(a) group_right",
            "ignoring(c) group_left",
        ])
    }

    /// A vector of exact values.
    fn exact(&mut self, depth: usize) -> String {
        if depth == 0 || self.chance.percent(12) {
            return self.selector() + &self.when();
        }
        let next = depth - 1;
        match self.chance.below(17) {
            0..=2 => {
                let function = self.chance.of(&[
                    "min_over_time",
                    "max_over_time",
                    "last_over_time",
                    "count_over_time",
                    "sum_over_time",
                    "present_over_time",
                    "changes",
                    "resets",
                    "idelta",
                ]);
                format!("{function}({})", self.range(depth))
            }
            3..=5 => {
                let aggregation = self.chance.of(&["sum", "min", "max", "count", "group"]);
                format!("{aggregation}{}({})", self.grouping(), self.exact(next))
            }
            6 | 7 => {
                let op = self
                    .chance
                    .of(&["+", "-", "*", "%", "==", "!=", ">", "<", ">=", "<="]);
                let answers = if COMPARISONS.contains(&op) && self.chance.percent(30) {
                    " bool"
                } else {
                    ""
                };
                let (vector, number) = (self.exact(next), self.number());
                match self.chance.percent(50) {
                    true => format!("({vector} {op}{answers} {number})"),
                    false => format!("({number} {op}{answers} {vector})"),
                }
            }
            8 | 9 => {
                let op = self.chance.of(&["+", "-", "*", "==", "!=", ">", "<"]);
                let answers = if COMPARISONS.contains(&op) && self.chance.percent(30) {
                    " bool"
                } else {
                    ""
                };
                let (left, matching, right) = (self.exact(next), self.matching(), self.exact(next));
                format!("({left} {op}{answers} {matching} {right})")
            }
            10 | 11 => {
                let (left, right) = (self.exact(next), self.exact(next));
                let op = self.chance.of(&["and", "or", "unless"]);
                let matching = self.chance.of(&["", "", "on(a)", "ignoring(c)", "on()"]);
                format!("({left} {op} {matching} {right})")
            }
            12 | 13 => {
                let function = self.chance.of(&[
                    "abs",
                    "ceil",
                    "floor",
                    "sgn",
                    "minute",
                    "hour",
                    "day_of_week",
                ]);
                format!("{function}({})", self.exact(next))
            }
            14 => match self.chance.below(4) {
                0 => format!("clamp({}, -1, 5)", self.exact(next)),
                1 => format!("clamp_min({}, 1)", self.exact(next)),
                2 => format!("round({}, 0.5)", self.exact(next)),
                _ => format!("-({})", self.exact(next)),
            },
            15 => match self.chance.below(5) {
                0 => format!("absent({})", self.exact(next)),
                1 => format!(
                    r#"label_replace({}, "z", "$1-k", "a", "(1|2)")"#,
                    self.exact(next)
                ),
                2 => format!(r#"label_join({}, "z", "-", "a", "b")"#, self.exact(next)),
                3 => format!("vector(scalar({}))", self.exact(next)),
                _ => format!("absent_over_time({})", self.range(depth)),
            },
            _ => match self.chance.below(2) {
                0 => format!(
                    r#"count_values{}("v", abs({}))"#,
                    self.grouping(),
                    self.exact(next)
                ),
                _ => {
                    // Of values that are all different: between equal ones the choice is free.
                    let name = self.chance.of(&["topk", "bottomk"]);
                    let count = self.chance.of(&["1", "2", "5"]);
                    format!(
                        "{name}({count}, timestamp(steady_total{}))",
                        self.matchers()
                    )
                }
            },
        }
    }

    /// A vector of any values.
    fn any(&mut self, depth: usize) -> String {
        if depth == 0 || self.chance.percent(10) {
            return self.exact(depth);
        }
        let next = depth - 1;
        match self.chance.below(14) {
            0 | 1 => {
                let function =
                    self.chance
                        .of(&["avg_over_time", "delta", "irate", "avg_over_time"]);
                format!("{function}({})", self.range(depth))
            }
            2 => {
                let function = self.chance.of(&["rate", "increase"]);
                let (range, offset) =
                    (self.chance.of(&RANGES), self.chance.of(&["", " offset 1m"]));
                format!(
                    "{function}(steady_total{}[{range}]{offset})",
                    self.matchers()
                )
            }
            3 => {
                let function = self
                    .chance
                    .of(&["stddev_over_time", "stdvar_over_time", "deriv"]);
                format!(
                    "{function}(plain{}[{}])",
                    self.matchers(),
                    self.chance.of(&RANGES)
                )
            }
            4 => match self.chance.percent(50) {
                true => format!(
                    "quantile_over_time({}, {})",
                    self.chance.of(&["0.5", "0.9", "0", "1", "-1"]),
                    self.range(depth)
                ),
                false => format!(
                    "predict_linear(plain[{}], {})",
                    self.chance.of(&RANGES),
                    self.chance.of(&["60", "-30", "3600"])
                ),
            },
            5 => format!("avg{}({})", self.grouping(), self.exact(next)),
            6 => match self.chance.percent(50) {
                true => format!(
                    "quantile{}({}, {})",
                    self.grouping(),
                    self.chance.of(&["0.3", "0.5", "1", "2"]),
                    self.exact(next)
                ),
                false => format!(
                    "{}{}(plain)",
                    self.chance.of(&["stddev", "stdvar"]),
                    self.grouping()
                ),
            },
            7 => {
                let (left, matching, right) = (self.any(next), self.matching(), self.exact(next));
                format!("({left} / {matching} ({right} + 0))")
            }
            8 => {
                let (left, matching, right) = (self.any(next), self.matching(), self.any(next));
                format!(
                    "({left} {} {matching} {right})",
                    self.chance.of(&["+", "-"])
                )
            }
            9 => {
                let function = self.chance.of(&[
                    "exp", "ln", "log2", "log10", "sqrt", "sin", "cos", "tanh", "deg",
                ]);
                format!("{function}({})", self.exact(next))
            }
            10 => format!(
                "(({} + 0) ^ {})",
                self.exact(next),
                self.chance.of(&["2", "0.5", "-1"])
            ),
            11 => format!(
                "{}{}({})",
                self.chance.of(&["sum", "min", "max"]),
                self.grouping(),
                self.any(next)
            ),
            12 => {
                let buckets = self.chance.of(&[
                    "wait_bucket",
                    "delta(wait_bucket[5m])",
                    "sum by (le) (wait_bucket)",
                ]);
                format!(
                    "histogram_quantile({}, {buckets})",
                    self.chance.of(&["0.5", "0.9", "0", "1", "0.99"])
                )
            }
            _ => match self.chance.below(3) {
                0 => format!("timestamp({})", self.selector()),
                1 => format!(
                    "({} {} {})",
                    self.any(next),
                    self.chance.of(&["and", "or", "unless"]),
                    self.exact(next)
                ),
                _ => format!("abs({})", self.any(next)),
            },
        }
    }
}
