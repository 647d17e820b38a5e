//! What follows an expression directly: ranges, subqueries, `offset` and `@`.

use super::lex::Tok;
use super::parse::{Parsed, Parser};
use super::{At, BinaryOp, Kind, Node, Range, Subquery, Type, When};

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut node: Node) -> Parsed<Node> {
        loop {
            if self.peek() == &Tok::BracketOpen {
                node = self.brackets(node)?;
            } else if self.at_word("offset") {
                self.offset(&mut node)?;
            } else if self.peek() == &Tok::At {
                self.at_modifier(&mut node)?;
            } else if (self.at_word("anchored") || self.at_word("smoothed"))
                && matches!(node.kind, Kind::Selector(_) | Kind::Range(_))
            {
                return self
                    .fail("the experimental anchored and smoothed modifiers are not supported");
            } else {
                return Ok(node);
            }
            node.end = self.last_end();
        }
    }

    fn brackets(&mut self, node: Node) -> Parsed<Node> {
        self.advance();
        let range_ms = self.positive_duration()?;
        let start = node.start;
        if self.take(&Tok::Colon) {
            let step_ms = match self.peek() {
                Tok::BracketClose => None,
                _ => Some(self.positive_duration()?),
            };
            self.expect(&Tok::BracketClose, " in subquery selector, expected \"]\"")?;
            if node.ty() != Type::Vector {
                let what = format!(
                    "subquery is only allowed on instant vector, got {} instead",
                    node.ty().as_str()
                );
                return self.fail_at(start, self.last_end(), what);
            }
            let depth = node.depth + 1;
            let subquery = Subquery {
                inner: node,
                range_ms,
                step_ms,
                when: When::default(),
            };
            return self.node_of_depth(Kind::Subquery(Box::new(subquery)), start, depth);
        }
        self.expect(
            &Tok::BracketClose,
            " in subquery or range selector, expected \":\" or \"]\"",
        )?;
        let Kind::Selector(selector) = node.kind else {
            return self.fail_at(
                start,
                self.last_end(),
                "ranges only allowed for vector selectors",
            );
        };
        if selector.when.offset_ms != 0 {
            return self.fail_at(
                start,
                self.last_end(),
                "no offset modifiers allowed before range",
            );
        }
        if selector.when.at.is_some() {
            return self.fail_at(
                start,
                self.last_end(),
                "no @ modifiers allowed before range",
            );
        }
        let range = Range {
            selector: *selector,
            range_ms,
        };
        self.node_of_depth(Kind::Range(Box::new(range)), start, node.depth)
    }

    fn positive_duration(&mut self) -> Parsed<i64> {
        let start = self.start();
        let negative = matches!(self.peek(), Tok::Op(BinaryOp::Sub));
        let milliseconds = self.duration()?;
        if let Tok::Op(_) = self.peek() {
            return self.refuse_duration_expression();
        }
        if negative || milliseconds <= 0 {
            return self.fail_at(start, self.last_end(), "duration must be greater than 0");
        }
        Ok(milliseconds)
    }

    /// A duration or a number of seconds, signed, in milliseconds.
    fn duration(&mut self) -> Parsed<i64> {
        let sign = match self.peek() {
            Tok::Op(BinaryOp::Sub) => -1,
            Tok::Op(BinaryOp::Add) => 1,
            _ => 0,
        };
        if sign != 0 {
            self.advance();
        }
        let milliseconds = match self.peek() {
            Tok::Duration(milliseconds) => *milliseconds,
            Tok::Number(seconds) if *seconds >= 0.0 && *seconds < 9_223_372_036.0 => {
                (seconds * 1000.0).round() as i64
            }
            Tok::Number(_) => return self.fail("duration out of range"),
            Tok::Open => return self.refuse_duration_expression(),
            Tok::Word(_) if self.peek_second() == &Tok::Open => {
                return self.refuse_duration_expression();
            }
            _ => return self.unexpected(", expected duration"),
        };
        self.advance();
        Ok(if sign < 0 {
            -milliseconds
        } else {
            milliseconds
        })
    }

    fn refuse_duration_expression<T>(&self) -> Parsed<T> {
        self.fail("experimental duration expressions are not supported")
    }

    fn offset(&mut self, node: &mut Node) -> Parsed<()> {
        let start = self.start();
        self.advance();
        let offset_ms = self.duration()?;
        let end = self.last_end();
        let Some(when) = when(node) else {
            return self.fail_at(
                start,
                end,
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            );
        };
        if when.offset_ms != 0 {
            return self.fail_at(start, end, "offset may not be set multiple times");
        }
        when.offset_ms = offset_ms;
        Ok(())
    }

    fn at_modifier(&mut self, node: &mut Node) -> Parsed<()> {
        let start = self.start();
        self.advance();
        let at =
            if self.peek_second() == &Tok::Open && (self.at_word("start") || self.at_word("end")) {
                let at = if self.at_word("start") {
                    At::Start
                } else {
                    At::End
                };
                self.advance();
                self.advance();
                self.expect(&Tok::Close, " in @, expected \")\"")?;
                at
            } else {
                At::Time(self.timestamp()?)
            };
        let end = self.last_end();
        let Some(when) = when(node) else {
            return self.fail_at(
                start,
                end,
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            );
        };
        if when.at.is_some() {
            return self.fail_at(start, end, "@ <timestamp> may not be set multiple times");
        }
        when.at = Some(at);
        Ok(())
    }

    /// Seconds, signed and with a fraction, in milliseconds.
    fn timestamp(&mut self) -> Parsed<i64> {
        let negative = match self.peek() {
            Tok::Op(op @ (BinaryOp::Sub | BinaryOp::Add)) => {
                let negative = *op == BinaryOp::Sub;
                self.advance();
                negative
            }
            _ => false,
        };
        let seconds = match self.peek() {
            Tok::Number(seconds) => *seconds,
            Tok::Duration(milliseconds) => *milliseconds as f64 / 1000.0,
            Tok::Word(word) if word.eq_ignore_ascii_case("inf") => f64::INFINITY,
            Tok::Word(word) if word.eq_ignore_ascii_case("nan") => f64::NAN,
            _ => return self.unexpected(" in @, expected timestamp"),
        };
        let seconds = if negative { -seconds } else { seconds };
        // Any such time is far outside of what a store can hold.
        if seconds.is_nan() || seconds.abs() >= 9.2e15 {
            return self.fail(format!("timestamp out of bounds for @ modifier: {seconds}"));
        }
        self.advance();
        Ok((seconds * 1000.0).round() as i64)
    }
}

fn when(node: &mut Node) -> Option<&mut When> {
    match &mut node.kind {
        Kind::Selector(selector) => Some(&mut selector.when),
        Kind::Range(range) => Some(&mut range.selector.when),
        Kind::Subquery(subquery) => Some(&mut subquery.when),
        _ => None,
    }
}
