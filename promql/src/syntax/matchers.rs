//! Selectors: a name, and conditions in braces.

use exposition::NAME;
use series::{Matcher, Op};

use super::lex::Tok;
use super::parse::{Parsed, Parser};
use super::{BinaryOp, Kind, Node, Selector, Text, When, quote};

impl Parser<'_> {
    /// A selector; its name is the current word, if it has one in front.
    pub(super) fn selector(&mut self, name: Option<&str>) -> Parsed<Node> {
        let start = self.start();
        let mut selector = Selector {
            matchers: Vec::new(),
            written: Vec::new(),
            named: name.is_some(),
            span: (start, start),
            when: When::default(),
        };
        if let Some(name) = name {
            self.advance();
            self.condition(&mut selector, NAME, Op::Equal, name, start)?;
        }
        if self.take(&Tok::BraceOpen) {
            while !self.take(&Tok::BraceClose) {
                self.matcher(&mut selector)?;
                if self.peek() != &Tok::BraceClose {
                    let place = " in label matching, expected \",\" or \"}\"";
                    self.expect(&Tok::Comma, place)?;
                }
            }
        }
        let end = self.last_end();
        selector.span.1 = end;
        if selector.named
            && let Some(again) = selector.matchers[1..]
                .iter()
                .find(|matcher| matcher.name == NAME)
        {
            let (first, second) = (&selector.matchers[0].value, &again.value);
            let (first, second) = (quote(first), quote(second));
            let what = format!("metric name must not be set twice: {first} or {second}");
            return self.fail_at(start, end, what);
        }
        // Otherwise it would read every series there is.
        if selector.matchers.iter().all(|matcher| matcher.takes("")) {
            let what = "vector selector must contain at least one non-empty matcher";
            return self.fail_at(start, end, what);
        }
        self.node(Kind::Selector(Box::new(selector)), start, &[])
    }

    fn matcher(&mut self, selector: &mut Selector) -> Parsed<()> {
        let start = self.start();
        let name = match self.peek() {
            Tok::Word(word) => (*word).to_owned(),
            Tok::Text(text) => match text.as_name() {
                Some(name) => name.to_owned(),
                None => return self.fail(format!("invalid label name: {}", text.quoted())),
            },
            _ => return self.unexpected(" in label matching, expected identifier or \"}\""),
        };
        let quoted = matches!(self.peek(), Tok::Text(_));
        self.advance();
        let op = match self.peek() {
            Tok::Assign => Op::Equal,
            Tok::Op(BinaryOp::NotEqual) => Op::NotEqual,
            Tok::Match => Op::Regex,
            Tok::NotMatch => Op::NotRegex,
            // `{"a metric"}` is a name that needs quotes.
            Tok::Comma | Tok::BraceClose if quoted => {
                return self.condition(selector, NAME, Op::Equal, &name, start);
            }
            _ => return self.unexpected(" in label matching, expected label matching operator"),
        };
        self.advance();
        let value = match self.peek() {
            Tok::Text(text) => Text::lossy(text),
            _ => return self.unexpected(" in label matching, expected string"),
        };
        self.advance();
        self.condition(selector, &name, op, &value, start)
    }

    fn condition(
        &self,
        selector: &mut Selector,
        name: &str,
        op: Op,
        value: &str,
        start: usize,
    ) -> Parsed<()> {
        let fault = |what: String| self.lines.fault(start, self.last_end(), what);
        let value_for_store = match op {
            Op::Equal | Op::NotEqual => value.to_owned(),
            Op::Regex | Op::NotRegex => {
                let invalid = |why: &str| {
                    fault(format!(
                        "invalid regular expression {}: {why}",
                        quote(value)
                    ))
                };
                let pattern = re2::rust_regex(value).map_err(|err| invalid(&err.to_string()))?;
                // The store compiles it without a bound.
                regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
                    .size_limit(self.pattern_bytes)
                    .build()
                    .map_err(|err| {
                        // The crate draws a picture; its last line says it all.
                        let text = err.to_string();
                        let why = text.lines().last().unwrap_or_default();
                        invalid(why.trim_start_matches("error: "))
                    })?;
                pattern
            }
        };
        let matcher =
            Matcher::new(name, op, value_for_store).map_err(|err| fault(err.to_string()))?;
        selector.matchers.push(matcher);
        selector.written.push(value.to_owned());
        Ok(())
    }
}
