//! Expressions as text for people: what is too long for a line is broken where
//! it nests, as Prometheus lays it out.

use std::fmt::Write as _;

use super::{Aggregate, Binary, Call, Expr, Kind, Node};

/// The longest piece that stays in one line, in bytes.
const LINE: usize = 100;

impl Expr {
    /// The canonical text, over several lines where one would be too long.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.root.lay_out(0, &mut out);
        out
    }
}

fn indent(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", level));
}

impl Node {
    /// Writes the node at the beginning of a line.
    fn lay_out(&self, level: usize, out: &mut String) {
        let line = self.to_string();
        if let Kind::Minus(inner) | Kind::Plus(inner) = &self.kind {
            indent(level, out);
            out.push_str(if matches!(self.kind, Kind::Minus(_)) {
                "-"
            } else {
                "+"
            });
            let mut text = String::new();
            inner.lay_out(level, &mut text);
            out.push_str(text.trim());
            return;
        }
        match &self.kind {
            Kind::Subquery(subquery) if line.len() > LINE => {
                // What follows the expression is no longer than its own text says.
                let behind = line.len() - subquery.inner.to_string().len();
                subquery.inner.lay_out(level, out);
                out.push_str(&line[line.len() - behind..]);
            }
            // Prometheus indents every kind but this one.
            Kind::Subquery(_) => out.push_str(&line),
            Kind::Paren(inner) if line.len() > LINE => {
                indent(level, out);
                out.push_str("(\n");
                inner.lay_out(level + 1, out);
                close(level, out);
            }
            Kind::Call(call) if line.len() > LINE => call.lay_out(level, out),
            Kind::Binary(binary) if line.len() > LINE => binary.lay_out(level, out),
            Kind::Aggregate(aggregate) if line.len() > LINE => aggregate.lay_out(level, out),
            _ => {
                indent(level, out);
                out.push_str(&line);
            }
        }
    }
}

fn close(level: usize, out: &mut String) {
    out.push('\n');
    indent(level, out);
    out.push(')');
}

impl Call {
    fn lay_out(&self, level: usize, out: &mut String) {
        indent(level, out);
        let _ = writeln!(out, "{}(", self.name);
        for (at, arg) in self.args.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { ",\n" });
            arg.lay_out(level + 1, out);
        }
        close(level, out);
    }
}

impl Binary {
    fn lay_out(&self, level: usize, out: &mut String) {
        self.left.lay_out(level + 1, out);
        out.push('\n');
        indent(level, out);
        let answers = if self.answers { " bool" } else { "" };
        let _ = writeln!(out, "{}{answers}{}", self.op.as_str(), self.matching);
        self.right.lay_out(level + 1, out);
    }
}

impl Aggregate {
    fn lay_out(&self, level: usize, out: &mut String) {
        indent(level, out);
        // Writing into a string does not fail.
        let _ = self.head(out);
        out.push_str("(\n");
        if let Some(param) = &self.param {
            param.lay_out(level + 1, out);
            out.push_str(",\n");
        }
        self.inner.lay_out(level + 1, out);
        close(level, out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn long_expressions_are_broken_where_they_nest() {
        let long = "a_name_that_is_so_long_that_two_of_them_do_not_fit_in_a_line_of_text";
        let cases = [
            ("1+1".to_owned(), "1 + 1".to_owned()),
            (
                format!("sum by(x)({long}{{a='b'}}) > on(x) {long}"),
                format!("  sum by (x) ({long}{{a=\"b\"}})\n> on (x)\n  {long}"),
            ),
            (
                format!("-topk(3,rate({long}[5m])+rate({long}[5m]))"),
                format!("-topk(\n  3,\n    rate({long}[5m])\n  +\n    rate({long}[5m])\n)"),
            ),
            (
                format!("quantile_over_time(1, ({long} + {long})[5m:1m])"),
                format!(
                    "quantile_over_time(\n  1,\n  (\n      {long}\n    +\n      {long}\n  )[5m:1m]\n)"
                ),
            ),
        ];
        for (source, laid_out) in cases {
            let expr = parse(&source).unwrap();
            assert_eq!(expr.pretty(), laid_out);
            let again = parse(&laid_out).unwrap();
            assert_eq!(again.to_string(), expr.to_string());
        }
    }
}
