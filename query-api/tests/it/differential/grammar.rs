//! Queries, made by a grammar.
//!
//! Values are exact or not. What jumps (comparisons, `floor`, `%`, a divisor) is
//! only asked of exact ones: elsewhere the last bit, in which two programs may
//! differ, would decide. What is left out, and why, is said in [`super::coverage`].

mod inexact;

use super::Chance;

/// How deep an expression nests.
const DEPTH: usize = 3;

/// None a multiple of 15 s, as all steps are.
const SUBQUERIES: [&str; 4] = ["61s", "97s", "301s", "691s"];
const RANGES: [&str; 6] = ["30s", "1m", "90s", "5m", "10m", "17m"];
const STEPS: [&str; 3] = ["30s", "1m", "45s"];
const NUMBERS: [&str; 12] = [
    "0", "1", "2", "-1", "0.5", "3", "10", "1e3", "NaN", "Inf", "-0.25", "0x1F",
];
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];

/// A query, and how its answers are compared.
pub(super) struct Query {
    pub(super) text: String,
    /// Whether inexact values are added up or subtracted in it.
    pub(super) cancels: bool,
    /// Whether the order of an instant answer is part of it.
    pub(super) sorted: bool,
}

pub(super) struct Grammar<'a> {
    chance: &'a mut Chance,
    /// The time of the first sample, in milliseconds.
    start_ms: i64,
    /// Only of series whose samples may have any time: nothing that looks at times.
    still: bool,
    cancels: bool,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(chance: &'a mut Chance, start_ms: i64) -> Self {
        Self {
            chance,
            start_ms,
            still: false,
            cancels: false,
        }
    }

    /// One whose queries depend on no sample's own time.
    pub(super) fn still(chance: &'a mut Chance) -> Self {
        let grammar = Self::new(chance, 0);
        Self {
            still: true,
            ..grammar
        }
    }

    /// A whole query.
    pub(super) fn query(mut self) -> Query {
        let depth = 1 + self.chance.below(DEPTH);
        let mut sorted = false;
        let text = match self.chance.below(40) {
            0 => format!("scalar({})", self.exact(depth)),
            1 | 2 => {
                sorted = true;
                let sort = self.chance.of(&["sort", "sort_desc"]);
                format!("{sort}({})", self.exact(depth))
            }
            3 if !self.still => self.alone(),
            4..=20 => self.exact(depth),
            _ if self.still => self.exact(depth),
            _ => self.any(depth),
        };
        Query {
            text,
            cancels: self.cancels,
            sorted,
        }
    }

    /// What stands without a series.
    fn alone(&mut self) -> String {
        let number = self.number();
        match self.chance.below(6) {
            0 => format!("{number} + time()"),
            1 => format!("vector({number}) * pi()"),
            2 => format!("{number} ^ 2 ^ 0.5 % 7"),
            3 => format!("-{number} ^ 2"),
            4 => format!("{number} <= bool 1"),
            _ => {
                let date = self.chance.of(&DATES);
                format!("{date}() + {date}(vector({number}))")
            }
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
            r#"{a="3"}"#,
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
        let name = match self.still {
            true => self.chance.of(&["live", "live", "live", "live_total"]),
            false => self.chance.of(&[
                "wild",
                "wild",
                "requests_total",
                "broken_total",
                "plain",
                "steady_total",
                "unlike",
                "info",
                "one",
                "none",
            ]),
        };
        format!("{name}{}", self.matchers())
    }

    /// `offset` and `@`.
    fn when(&mut self) -> String {
        match self.chance.below(20) {
            _ if self.still => String::new(),
            0..=3 => format!(" offset {}", self.chance.of(&["1m", "-1m", "7m", "33s"])),
            4 => {
                let at = self.start_ms / 1000 + self.chance.below(3000) as i64;
                format!(" @ {at}.007")
            }
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

    /// An aggregation, its grouping before or behind.
    fn aggregation(&mut self, name: &str, inner: &str) -> String {
        let grouping = self.grouping();
        match self.chance.percent(20) {
            true => format!("{}({inner}){grouping}", name.to_uppercase()),
            false => format!("{name}{grouping}({inner})"),
        }
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
            "on(a) group_right(version)",
            "ignoring(c) group_left",
        ])
    }

    /// An operator, where it compares sometimes with `bool`.
    fn operator(&mut self, arithmetic: &[&'static str]) -> String {
        let all = [arithmetic, &COMPARISONS].concat();
        let op = self.chance.of(&all);
        match COMPARISONS.contains(&op) && self.chance.percent(30) {
            true => format!("{op} bool"),
            false => op.to_owned(),
        }
    }

    /// A vector of exact values.
    fn exact(&mut self, depth: usize) -> String {
        if depth == 0 || self.chance.percent(12) {
            return self.selector() + &self.when();
        }
        let next = depth - 1;
        match self.chance.below(18) {
            0..=2 if self.still => self.exact(next),
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
                let name = self.chance.of(&["sum", "min", "max", "count", "group"]);
                let inner = self.exact(next);
                self.aggregation(name, &inner)
            }
            6 | 7 => {
                let op = self.operator(&["+", "-", "*", "%"]);
                let (vector, number) = (self.exact(next), self.number());
                match self.chance.percent(50) {
                    true => format!("({vector} {op} {number})"),
                    false => format!("({number} {op} {vector})"),
                }
            }
            8 | 9 => {
                let op = self.operator(&["+", "-", "*", "%"]);
                let (left, matching, right) = (self.exact(next), self.matching(), self.exact(next));
                format!("({left} {op} {matching} {right})")
            }
            10 | 11 => {
                let (left, right) = (self.exact(next), self.exact(next));
                let op = self.chance.of(&["and", "or", "unless"]);
                let matching = self.chance.of(&["", "", "on(a)", "ignoring(c)", "on()"]);
                format!("({left} {op} {matching} {right})")
            }
            12 | 13 => {
                let function = self.chance.of(&["abs", "ceil", "floor", "sgn", "round"]);
                format!("{function}({})", self.exact(next))
            }
            14 => {
                let function = self.chance.of(&DATES);
                format!("{function}({})", self.exact(next))
            }
            15 => match self.chance.below(6) {
                0 => format!("clamp({}, -1, 5)", self.exact(next)),
                1 => format!("clamp_min({}, 1)", self.exact(next)),
                2 => format!("clamp_max({}, {})", self.exact(next), self.number()),
                3 => format!("round({}, 0.5)", self.exact(next)),
                4 => format!("+({})", self.exact(next)),
                _ => format!("-({})", self.exact(next)),
            },
            16 => match self.chance.below(5) {
                0 => format!("absent({})", self.exact(next)),
                1 => format!(
                    r#"label_replace({}, "z", "$1-k", "a", "(1|2)")"#,
                    self.exact(next)
                ),
                2 => format!(r#"label_join({}, "z", "-", "a", "b")"#, self.exact(next)),
                3 => format!("vector(scalar({}))", self.exact(next)),
                _ if self.still => self.exact(next),
                _ => format!("absent_over_time({})", self.range(depth)),
            },
            _ => match self.chance.below(2) {
                0 => {
                    let (grouping, inner) = (self.grouping(), self.exact(next));
                    format!(r#"count_values{grouping}("v", abs({inner}))"#)
                }
                _ if self.still => self.exact(next),
                _ => self.highest(),
            },
        }
    }

    /// Of values that are all different: between equal ones the choice is free.
    fn highest(&mut self) -> String {
        let name = self.chance.of(&["topk", "bottomk"]);
        let count = self.chance.of(&["1", "2", "5", "scalar(count(one)) + 1"]);
        let of = match self.chance.percent(70) {
            true => format!("unlike{}{}", self.matchers(), self.when()),
            false => format!("timestamp(steady_total{})", self.matchers()),
        };
        let grouping = self.grouping();
        format!("{name}{grouping}({count}, {of})")
    }
}

const DATES: [&str; 8] = [
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
];
