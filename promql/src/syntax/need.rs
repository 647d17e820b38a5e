//! Which series an expression cannot do without.
//!
//! A rule over a metric that nothing exports never fires and never says so;
//! this finds such rules.

use super::{BinaryOp, Expr, Function, Kind, Node, Selector, Type};

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
    pub fn blocked_by(&self, mut has_series: impl FnMut(&Selector) -> bool) -> Vec<&Selector> {
        self.root.blocked(&mut has_series).unwrap_or_default()
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

    /// What is missing, or nothing if the node can have a value.
    fn blocked<'a>(
        &'a self,
        has_series: &mut impl FnMut(&Selector) -> bool,
    ) -> Option<Vec<&'a Selector>> {
        match &self.kind {
            Kind::Number { .. } | Kind::Text(_) => None,
            Kind::Paren(inner) | Kind::Minus(inner) | Kind::Plus(inner) => {
                inner.blocked(has_series)
            }
            Kind::Selector(selector) => (!has_series(selector)).then(|| vec![&**selector]),
            Kind::Range(range) => (!has_series(&range.selector)).then(|| vec![&range.selector]),
            Kind::Subquery(subquery) => subquery.inner.blocked(has_series),
            Kind::Aggregate(aggregate) => aggregate.inner.blocked(has_series),
            // A scalar always has a value, even when its vector has none.
            Kind::Call(_) if self.ty() == Type::Scalar => None,
            Kind::Call(call) => match call.function {
                Function::Absent | Function::AbsentOverTime | Function::Vector => None,
                _ => call
                    .args
                    .iter()
                    .filter(|arg| matches!(arg.ty(), Type::Vector | Type::Matrix))
                    .find_map(|arg| arg.blocked(has_series)),
            },
            Kind::Binary(binary) => {
                let left = binary.left.blocked(has_series);
                if binary.op == BinaryOp::Unless {
                    return left;
                }
                match (left, binary.right.blocked(has_series)) {
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
