//! What an expression begins with: literals, parentheses, aggregations, calls, selectors.

use super::lex::Tok;
use super::parse::{Parsed, Parser};
use super::{Aggregate, Aggregator, Call, Function, Grouping, Kind, Node, check, function};

/// Words that can never be a metric's name where an expression begins.
const RESERVED: [&str; 6] = [
    "atan2",
    "bool",
    "group_left",
    "group_right",
    "ignoring",
    "on",
];

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed<Node> {
        let start = self.start();
        let kind = match self.peek().clone() {
            Tok::Number(value) => Kind::Number {
                value,
                duration: false,
            },
            Tok::Duration(milliseconds) => Kind::Number {
                value: milliseconds as f64 / 1000.0,
                duration: true,
            },
            Tok::Text(text) => Kind::Text(text),
            Tok::Open => return self.parenthesised(),
            Tok::BraceOpen => return self.selector(None),
            Tok::Word(word) => return self.word(word),
            _ => return self.unexpected(""),
        };
        self.advance();
        self.node(kind, start, &[])
    }

    fn parenthesised(&mut self) -> Parsed<Node> {
        let start = self.start();
        self.advance();
        let inner = self.expression(0)?;
        self.expect(&Tok::Close, " in paren expression")?;
        let depth = inner.depth + 1;
        self.node_of_depth(Kind::Paren(Box::new(inner)), start, depth)
    }

    fn word(&mut self, word: &str) -> Parsed<Node> {
        let start = self.start();
        let lower = word.to_ascii_lowercase();
        if let Some(value) = match lower.as_str() {
            "inf" => Some(f64::INFINITY),
            "nan" => Some(f64::NAN),
            _ => None,
        } {
            self.advance();
            let kind = Kind::Number {
                value,
                duration: false,
            };
            return self.node(kind, start, &[]);
        }
        let called = self.peek_second() == &Tok::Open;
        let grouped = matches!(self.peek_second(), Tok::Word(next)
            if next.eq_ignore_ascii_case("by") || next.eq_ignore_ascii_case("without"));
        if called || grouped {
            if let Some(aggregator) = aggregator(&lower) {
                return self.aggregate(aggregator);
            }
            if matches!(lower.as_str(), "limitk" | "limit_ratio") {
                return self.fail(format!(
                    "the experimental aggregation {lower:?} is not supported"
                ));
            }
        }
        if RESERVED.contains(&lower.as_str()) {
            return self.unexpected("");
        }
        if called {
            return self.call(word);
        }
        self.selector(Some(word))
    }

    fn aggregate(&mut self, aggregator: Aggregator) -> Parsed<Node> {
        let start = self.start();
        self.advance();
        let mut grouping = self.grouping()?;
        let mut args = self.args()?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let takes_param = aggregator.takes_param();
        let wanted = 1 + usize::from(takes_param);
        let end = self.last_end();
        if args.is_empty() {
            return self.fail_at(start, end, "no arguments for aggregate expression provided");
        }
        if args.len() != wanted {
            return self.fail_at(
                start,
                end,
                format!(
                    "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                    args.len()
                ),
            );
        }
        let depth = args.iter().map(|arg| arg.depth).max().unwrap_or(0) + 1;
        let (Some(inner), param) = (args.pop(), args.pop()) else {
            return self.unexpected("");
        };
        check::aggregate(self, aggregator, param.as_ref(), &inner)?;
        let aggregate = Aggregate {
            aggregator,
            param,
            inner,
            grouping: grouping.unwrap_or_default(),
        };
        self.node_of_depth(Kind::Aggregate(Box::new(aggregate)), start, depth)
    }

    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = self.at_word("without");
        if !without && !self.at_word("by") {
            return Ok(None);
        }
        self.advance();
        let labels = self.label_list()?;
        Ok(Some(Grouping { without, labels }))
    }

    fn args(&mut self) -> Parsed<Vec<Node>> {
        self.expect(&Tok::Open, " in function call")?;
        let mut args = Vec::new();
        if self.take(&Tok::Close) {
            return Ok(args);
        }
        loop {
            args.push(self.expression(0)?);
            if self.take(&Tok::Close) {
                return Ok(args);
            }
            self.expect(&Tok::Comma, " in function call, expected \",\" or \")\"")?;
            if self.peek() == &Tok::Close {
                return self.fail("trailing commas not allowed in function call args");
            }
        }
    }

    fn call(&mut self, word: &str) -> Parsed<Node> {
        let start = self.start();
        let Some(signature) = function::find(word) else {
            if function::is_experimental(&word.to_ascii_lowercase()) {
                return self.fail(format!(
                    "the experimental function {word:?} is not supported"
                ));
            }
            return self.fail(format!("unknown function with name {word:?}"));
        };
        self.advance();
        let args = self.args()?;
        check::call(self, signature, &args, start)?;
        let depth = args.iter().map(|arg| arg.depth).max().unwrap_or(0) + 1;
        let pattern = match signature.function {
            Function::LabelReplace => args
                .get(4)
                .and_then(Node::text)
                .map(|text| self.anchored(&text.lossy())),
            _ => None,
        };
        let call = Call {
            name: signature.name,
            function: signature.function,
            args,
            pattern,
        };
        self.node_of_depth(Kind::Call(Box::new(call)), start, depth)
    }

    /// A pattern that has to match a whole value.
    fn anchored(&self, pattern: &str) -> Result<regex::Regex, String> {
        let spelt = re2::rust_regex(pattern).map_err(|_| pattern.to_owned())?;
        regex::RegexBuilder::new(&format!("^(?s:{spelt})$"))
            .size_limit(self.pattern_bytes)
            .build()
            .map_err(|_| pattern.to_owned())
    }
}

fn aggregator(word: &str) -> Option<Aggregator> {
    Some(match word {
        "sum" => Aggregator::Sum,
        "avg" => Aggregator::Avg,
        "count" => Aggregator::Count,
        "min" => Aggregator::Min,
        "max" => Aggregator::Max,
        "group" => Aggregator::Group,
        "stddev" => Aggregator::Stddev,
        "stdvar" => Aggregator::Stdvar,
        "topk" => Aggregator::Topk,
        "bottomk" => Aggregator::Bottomk,
        "count_values" => Aggregator::CountValues,
        "quantile" => Aggregator::Quantile,
        _ => return None,
    })
}

impl Aggregator {
    pub(super) fn takes_param(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::CountValues | Self::Quantile
        )
    }
}
