//! Expressions as canonical text, in one line, spelled as Prometheus prints them.

use std::fmt::{Display, Formatter, Result, Write};

use exposition::NAME;
use series::{Matcher, Op};

use super::{
    Aggregate, Aggregator, At, Binary, Expr, Kind, Matching, Node, Selector, Side, When, duration,
    quote,
};

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.root.fmt(out)
    }
}

impl Display for Node {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match &self.kind {
            Kind::Number { value, duration } => number(*value, *duration, out),
            Kind::Text(text) => out.write_str(&text.quoted()),
            Kind::Paren(inner) => write!(out, "({inner})"),
            Kind::Minus(inner) => write!(out, "-{inner}"),
            Kind::Plus(inner) => write!(out, "+{inner}"),
            Kind::Binary(binary) => binary.fmt(out),
            Kind::Aggregate(aggregate) => aggregate.fmt(out),
            Kind::Call(call) => {
                out.write_str(call.name)?;
                out.write_char('(')?;
                for (at, arg) in call.args.iter().enumerate() {
                    out.write_str(if at == 0 { "" } else { ", " })?;
                    arg.fmt(out)?;
                }
                out.write_char(')')
            }
            Kind::Selector(selector) => selector.fmt(out),
            Kind::Range(range) => {
                range.selector.bare(out)?;
                write!(out, "[{}]", duration::print(range.range_ms))?;
                range.selector.when.fmt(out)
            }
            Kind::Subquery(subquery) => {
                let step = subquery.step_ms.map(duration::print).unwrap_or_default();
                let range = duration::print(subquery.range_ms);
                write!(out, "{}[{range}:{step}]", subquery.inner)?;
                subquery.when.fmt(out)
            }
        }
    }
}

fn number(value: f64, is_duration: bool, out: &mut Formatter<'_>) -> Result {
    if is_duration {
        out.write_str(&duration::print((value * 1000.0).round() as i64))
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        write!(out, "{value}")
    }
}

impl Display for Binary {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let answers = if self.answers { " bool" } else { "" };
        let (op, matching) = (self.op.as_str(), &self.matching);
        write!(out, "{} {op}{answers}{matching} {}", self.left, self.right)
    }
}

impl Display for Matching {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        if self.on || !self.labels.is_empty() || self.many.is_some() {
            let word = if self.on { "on" } else { "ignoring" };
            write!(out, " {word} ")?;
            labels(&self.labels, out)?;
        }
        let word = match self.many {
            None => return Ok(()),
            Some(Side::Left) => "group_left",
            Some(Side::Right) => "group_right",
        };
        write!(out, " {word} ")?;
        labels(&self.include, out)
    }
}

impl Aggregator {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
        }
    }
}

impl Aggregate {
    /// What stands before the parenthesis.
    pub(super) fn head(&self, out: &mut impl Write) -> Result {
        out.write_str(self.aggregator.as_str())?;
        if self.grouping.without || !self.grouping.labels.is_empty() {
            out.write_str(if self.grouping.without {
                " without "
            } else {
                " by "
            })?;
            labels(&self.grouping.labels, out)?;
            out.write_char(' ')?;
        }
        Ok(())
    }
}

impl Display for Aggregate {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.head(out)?;
        match &self.param {
            Some(param) => write!(out, "({param}, {})", self.inner),
            None => write!(out, "({})", self.inner),
        }
    }
}

fn labels(names: &[String], out: &mut impl Write) -> Result {
    out.write_char('(')?;
    for (at, name) in names.iter().enumerate() {
        out.write_str(if at == 0 { "" } else { ", " })?;
        label(name, out)?;
    }
    out.write_char(')')
}

fn label(name: &str, out: &mut impl Write) -> Result {
    if is_word(name, false) {
        out.write_str(name)
    } else {
        out.write_str(&quote(name))
    }
}

/// Whether a name needs no quotes.
fn is_word(name: &str, colons: bool) -> bool {
    let takes = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || (colons && byte == b':');
    name.bytes().next().is_some_and(takes)
        && name
            .bytes()
            .all(|byte| takes(byte) || byte.is_ascii_digit())
}

impl Display for Selector {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.bare(out)?;
        self.when.fmt(out)
    }
}

impl Selector {
    /// Without `offset` and `@`.
    fn bare(&self, out: &mut Formatter<'_>) -> Result {
        let pairs = || self.matchers.iter().zip(&self.written);
        let name = pairs().find_map(|(matcher, written)| {
            (matcher.name == NAME && matcher.op == Op::Equal).then_some((matcher, written))
        });
        let mut in_front: Option<&Matcher> = None;
        let mut rest = false;
        if let Some((matcher, written)) = name
            && is_word(written, true)
        {
            out.write_str(written)?;
            in_front = Some(matcher);
        }
        for (matcher, written) in pairs() {
            if in_front.is_some_and(|front| std::ptr::eq(front, matcher)) {
                continue;
            }
            out.write_char(if rest { ',' } else { '{' })?;
            rest = true;
            if name.is_some_and(|(front, _)| std::ptr::eq(front, matcher)) {
                out.write_str(&quote(written))?;
                continue;
            }
            label(&matcher.name, out)?;
            out.write_str(match matcher.op {
                Op::Equal => "=",
                Op::NotEqual => "!=",
                Op::Regex => "=~",
                Op::NotRegex => "!~",
            })?;
            out.write_str(&quote(written))?;
        }
        out.write_str(if rest { "}" } else { "" })
    }
}

impl Display for When {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self.at {
            None => {}
            Some(At::Start) => out.write_str(" @ start()")?,
            Some(At::End) => out.write_str(" @ end()")?,
            Some(At::Time(milliseconds)) => {
                let sign = if milliseconds < 0 { "-" } else { "" };
                let size = milliseconds.unsigned_abs();
                write!(out, " @ {sign}{}.{:03}", size / 1000, size % 1000)?;
            }
        }
        match self.offset_ms {
            0 => Ok(()),
            offset_ms => write!(out, " offset {}", duration::print(offset_ms)),
        }
    }
}
