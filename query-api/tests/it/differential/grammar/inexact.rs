//! The part of the grammar whose values may differ in the last bit.

use super::{Grammar, RANGES};

impl Grammar<'_> {
    /// A vector of any values.
    pub(super) fn any(&mut self, depth: usize) -> String {
        if depth == 0 || self.chance.percent(8) {
            return self.exact(depth);
        }
        let next = depth - 1;
        match self.chance.below(20) {
            0 | 1 => {
                let function = self.chance.of(&["avg_over_time", "delta", "irate"]);
                // 2.42 keeps a running mean, which is off where values cancel.
                self.cancels |= function == "avg_over_time";
                format!("{function}({})", self.range(depth))
            }
            2 | 3 => self.of_counters(),
            4 => {
                // Of no infinities: since 3.0 their deviation is not a number.
                self.cancels = true;
                let function = self
                    .chance
                    .of(&["stddev_over_time", "stdvar_over_time", "deriv"]);
                self.unsteady(function)
            }
            5 => {
                let rank = self.chance.of(&["0.5", "0.9", "0", "1", "-1"]);
                format!("quantile_over_time({rank}, {})", self.range(depth))
            }
            6 => {
                self.cancels = true;
                let name = self.chance.of(&["plain", "broken_total", "requests_total"]);
                let (range, ahead) = (
                    self.chance.of(&RANGES),
                    self.chance.of(&["60", "-30", "3600"]),
                );
                format!(
                    "predict_linear({name}{}[{range}], {ahead})",
                    self.matchers()
                )
            }
            7 => {
                self.cancels = true;
                let inner = self.exact(next);
                self.aggregation("avg", &inner)
            }
            8 => {
                let rank = self.chance.of(&["0.3", "0.5", "1", "2"]);
                let (grouping, inner) = (self.grouping(), self.exact(next));
                format!("quantile{grouping}({rank}, {inner})")
            }
            9 => {
                self.cancels = true;
                let name = self.chance.of(&["stddev", "stdvar"]);
                let of = self.chance.of(&["plain", "unlike", "requests_total"]);
                self.aggregation(name, of)
            }
            10 => {
                let (left, matching, right) = (self.any(next), self.matching(), self.exact(next));
                format!("({left} / {matching} ({right} + 0))")
            }
            11 => {
                self.cancels = true;
                let (left, matching, right) = (self.any(next), self.matching(), self.any(next));
                let op = self.chance.of(&["+", "-"]);
                format!("({left} {op} {matching} {right})")
            }
            12 | 13 => self.curve(next),
            14 => {
                let power = self.chance.of(&["2", "0.5", "-1"]);
                format!("(({} + 0) ^ {power})", self.exact(next))
            }
            15 => {
                let (left, matching, right) = (self.exact(next), self.matching(), self.exact(next));
                // 2.42 keeps the name.
                format!("(({left} + 0) atan2 {matching} ({right} + 0))")
            }
            16 => {
                let name = self.chance.of(&["sum", "min", "max"]);
                self.cancels |= name == "sum";
                let inner = self.any(next);
                self.aggregation(name, &inner)
            }
            17 => self.of_histograms(),
            _ => match self.chance.below(3) {
                0 => format!("timestamp({})", self.selector()),
                1 => {
                    let (left, right) = (self.any(next), self.exact(next));
                    let op = self.chance.of(&["and", "or", "unless"]);
                    format!("({left} {op} {right})")
                }
                _ => format!("abs({})", self.any(next)),
            },
        }
    }

    /// `rate` and `increase`, of counters that reset, with gaps and without.
    fn of_counters(&mut self) -> String {
        let function = self.chance.of(&["rate", "increase"]);
        let name = self
            .chance
            .of(&["steady_total", "broken_total", "broken_total"]);
        let (range, offset) = (self.chance.of(&RANGES), self.chance.of(&["", " offset 1m"]));
        format!("{function}({name}{}[{range}]{offset})", self.matchers())
    }

    /// A function of what has gaps, ends and resets, but no infinities.
    fn unsteady(&mut self, function: &str) -> String {
        let name = self
            .chance
            .of(&["plain", "unlike", "broken_total", "requests_total"]);
        format!(
            "{function}({name}{}[{}])",
            self.matchers(),
            self.chance.of(&RANGES)
        )
    }

    /// A function of each value by itself.
    fn curve(&mut self, next: usize) -> String {
        let inner = self.exact(next);
        // Where these are not a number, half of the values would be.
        let within = ["acos", "asin", "atanh"];
        let function = self.chance.of(&[
            "exp", "ln", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh",
            "acos", "asin", "atan", "acosh", "asinh", "atanh", "deg", "rad",
        ]);
        match within.contains(&function) && self.chance.percent(70) {
            true => format!("{function}({inner} / 256)"),
            false => format!("{function}({inner})"),
        }
    }

    fn of_histograms(&mut self) -> String {
        let buckets = self.chance.of(&[
            "wait_bucket",
            "delta(wait_bucket[5m])",
            "rate(wait_bucket[5m])",
            "sum by (le) (wait_bucket)",
            "sum by (le) (increase(wait_bucket[10m]))",
        ]);
        match self.chance.below(4) {
            // There are no native ones here, nor in what both answer.
            0 => {
                let function = self.chance.of(&["histogram_count", "histogram_sum"]);
                format!("{function}({buckets})")
            }
            _ => {
                let rank = self.chance.of(&["0.5", "0.9", "0", "1", "0.99"]);
                format!("histogram_quantile({rank}, {buckets})")
            }
        }
    }
}
