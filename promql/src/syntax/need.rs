//! Which series an expression cannot do without.
//!
//! A rule over a metric that nothing exports never fires and never says so;
//! this finds such rules.

use std::ops::RangeInclusive;

use super::{At, BinaryOp, Expr, Function, Kind, Node, Selector, Type, When};

impl Expr {
    /// Every selector, from left to right.
    #[must_use]
    pub fn selectors(&self) -> Vec<&Selector> {
        let mut found = Vec::new();
        self.root.visit(&mut |selector| found.push(selector));
        found
    }

    /// The selectors without series that keep the expression from ever having
    /// a result, when `has_series` says which ones have any. Empty when a
    /// result is possible: `absent(x)` and `x or y` do not need `x`.
    pub(crate) fn blocked_by(
        &self,
        at: Moment,
        mut has_series: impl FnMut(&Selector, Reach) -> bool,
    ) -> Vec<&Selector> {
        let times = (at.time_ms, at.time_ms);
        let blocked = self.root.blocked(at, times, &mut has_series);
        blocked.unwrap_or_default()
    }
}

/// The times between which a selector's samples count, in milliseconds since
/// 1970: as far back as range, `offset`, subqueries around it and the look-back
/// go.
pub type Reach = RangeInclusive<i64>;

/// When an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) time_ms: i64,
    pub(crate) lookback_ms: i64,
}

impl Moment {
    /// The times that are looked at from between `times`.
    fn seen(self, when: When, times: (i64, i64)) -> (i64, i64) {
        let (from, to) = match when.at {
            None => times,
            Some(At::Time(time)) => (time, time),
            Some(At::Start | At::End) => (self.time_ms, self.time_ms),
        };
        (
            from.saturating_sub(when.offset_ms),
            to.saturating_sub(when.offset_ms),
        )
    }

    fn reach(self, selector: &Selector, back_ms: i64, times: (i64, i64)) -> Reach {
        let (from, to) = self.seen(selector.when, times);
        // The oldest moment of a window is not within it.
        from.saturating_sub(back_ms).saturating_add(1)..=to
    }
}

impl Node {
    fn visit<'a>(&'a self, each: &mut impl FnMut(&'a Selector)) {
        match &self.kind {
            Kind::Number { .. } | Kind::Text(_) => {}
            Kind::Paren(inner) | Kind::Minus(inner) | Kind::Plus(inner) => inner.visit(each),
            Kind::Binary(binary) => {
                binary.left.visit(each);
                binary.right.visit(each);
            }
            Kind::Aggregate(aggregate) => {
                if let Some(param) = &aggregate.param {
                    param.visit(each);
                }
                aggregate.inner.visit(each);
            }
            Kind::Call(call) => call.args.iter().for_each(|arg| arg.visit(each)),
            Kind::Selector(selector) => each(selector),
            Kind::Range(range) => each(&range.selector),
            Kind::Subquery(subquery) => subquery.inner.visit(each),
        }
    }

    /// What is missing, or nothing if the node can have a value. It is evaluated
    /// at times between these two.
    fn blocked<'a>(
        &'a self,
        at: Moment,
        times: (i64, i64),
        has_series: &mut impl FnMut(&Selector, Reach) -> bool,
    ) -> Option<Vec<&'a Selector>> {
        match &self.kind {
            Kind::Number { .. } | Kind::Text(_) => None,
            Kind::Paren(inner) | Kind::Minus(inner) | Kind::Plus(inner) => {
                inner.blocked(at, times, has_series)
            }
            Kind::Selector(selector) => {
                let reach = at.reach(selector, at.lookback_ms, times);
                (!has_series(selector, reach)).then(|| vec![&**selector])
            }
            Kind::Range(range) => {
                let reach = at.reach(&range.selector, range.range_ms, times);
                (!has_series(&range.selector, reach)).then(|| vec![&range.selector])
            }
            Kind::Subquery(subquery) => {
                let (from, to) = at.seen(subquery.when, times);
                let times = (from.saturating_sub(subquery.range_ms), to);
                subquery.inner.blocked(at, times, has_series)
            }
            Kind::Aggregate(aggregate) => aggregate.inner.blocked(at, times, has_series),
            // A scalar always has a value, even when its vector has none.
            Kind::Call(_) if self.ty() == Type::Scalar => None,
            Kind::Call(call) => match call.function {
                Function::Absent | Function::AbsentOverTime | Function::Vector => None,
                _ => call
                    .args
                    .iter()
                    .filter(|arg| matches!(arg.ty(), Type::Vector | Type::Matrix))
                    .find_map(|arg| arg.blocked(at, times, has_series)),
            },
            Kind::Binary(binary) => {
                let left = binary.left.blocked(at, times, has_series);
                if binary.op == BinaryOp::Unless {
                    return left;
                }
                match (left, binary.right.blocked(at, times, has_series)) {
                    (Some(mut left), Some(right)) => {
                        left.extend(right);
                        Some(left)
                    }
                    _ if binary.op == BinaryOp::Or => None,
                    (left, right) => left.or(right),
                }
            }
        }
    }
}
