//! The parser: operators by precedence, each recursion counted.
//!
//! Hostile text must not cost more than its length: the length, the depth of
//! the tree and the size of compiled patterns are bounded.

use super::lex::{Lines, Tok, Token, tokens};
use super::{Binary, BinaryOp, Expr, Kind, Matching, Node, Side, Text, check};
use crate::ParseError;

/// The longest text taken, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// The deepest tree taken: far beyond what people write, and shallow enough
/// for the smallest stack that evaluates it.
const MAX_DEPTH: u16 = 200;

pub(super) type Parsed<T> = Result<T, ParseError>;

/// Parses and checks an expression.
///
/// # Errors
/// With the place and the reason, when the text is no valid expression or uses
/// what is not supported.
pub fn parse(source: &str) -> Result<Expr, ParseError> {
    let lines = Lines::of(source);
    if source.len() > MAX_LENGTH {
        return Err(lines.fault(
            0,
            0,
            format!("the expression is longer than {MAX_LENGTH} bytes"),
        ));
    }
    let tokens = tokens(source, &lines)?;
    let patterns = tokens
        .iter()
        .filter(|token| match token.tok {
            Tok::Match | Tok::NotMatch => true,
            Tok::Word(word) => word == "label_replace",
            _ => false,
        })
        .count();
    let mut parser = Parser {
        source,
        lines,
        tokens,
        at: 0,
        depth: 0,
        pattern_bytes: (32 << 20) / patterns.max(8),
    };
    if parser.peek() == &Tok::End {
        return parser.fail("no expression found in input");
    }
    let root = parser.expression(0)?;
    match parser.peek() {
        Tok::End => Ok(Expr { root }),
        _ => parser.unexpected(""),
    }
}

pub(super) struct Parser<'a> {
    pub(super) source: &'a str,
    pub(super) lines: Lines,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: u16,
    /// The most memory one compiled pattern may take.
    pub(super) pattern_bytes: usize,
}

impl<'a> Parser<'a> {
    fn token(&self, ahead: usize) -> &Token<'a> {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    pub(super) fn peek(&self) -> &Tok<'a> {
        &self.token(0).tok
    }

    pub(super) fn peek_second(&self) -> &Tok<'a> {
        &self.token(1).tok
    }

    pub(super) fn start(&self) -> usize {
        self.token(0).start
    }

    /// Behind the last token taken.
    pub(super) fn last_end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].end)
    }

    pub(super) fn advance(&mut self) -> Tok<'a> {
        let tok = self.token(0).tok.clone();
        self.at += 1;
        tok
    }

    pub(super) fn take(&mut self, wanted: &Tok<'_>) -> bool {
        let found = self.peek() == wanted;
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: &Tok<'_>, place: &str) -> Parsed<()> {
        if self.take(wanted) {
            Ok(())
        } else {
            self.unexpected(place)
        }
    }

    /// Whether a word stands here; keywords are case-insensitive.
    pub(super) fn at_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Tok::Word(word) if word.eq_ignore_ascii_case(wanted))
    }

    pub(super) fn take_word(&mut self, wanted: &str) -> bool {
        let found = self.at_word(wanted);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn fail<T>(&self, what: impl Into<String>) -> Parsed<T> {
        let token = self.token(0);
        Err(self.lines.fault(token.start, token.end, what))
    }

    pub(super) fn fail_at<T>(
        &self,
        start: usize,
        end: usize,
        what: impl Into<String>,
    ) -> Parsed<T> {
        Err(self.lines.fault(start, end, what))
    }

    pub(super) fn unexpected<T>(&self, place: &str) -> Parsed<T> {
        let token = self.token(0);
        let found = match token.tok {
            Tok::End => "end of input".to_owned(),
            _ => format!("{:?}", &self.source[token.start..token.end]),
        };
        self.fail(format!("unexpected {found}{place}"))
    }

    /// Makes a node over the text from `start` to the last token taken.
    pub(super) fn node(&self, kind: Kind, start: usize, below: &[&Node]) -> Parsed<Node> {
        let depth = below.iter().map(|node| node.depth).max().unwrap_or(0) + 1;
        self.node_of_depth(kind, start, depth)
    }

    pub(super) fn node_of_depth(&self, kind: Kind, start: usize, depth: u16) -> Parsed<Node> {
        let end = self.last_end();
        if depth > MAX_DEPTH {
            return self.fail_at(start, end, Self::too_deep());
        }
        Ok(Node {
            kind,
            place: self.lines.place(start),
            start,
            end,
            depth,
        })
    }

    fn too_deep() -> String {
        format!("the expression is nested more than {MAX_DEPTH} deep")
    }

    /// An expression whose operators all bind at least as tightly as `floor`.
    pub(super) fn expression(&mut self, floor: u8) -> Parsed<Node> {
        if self.depth >= MAX_DEPTH {
            return self.fail(Self::too_deep());
        }
        self.depth += 1;
        let mut left = self.signed()?;
        while let Some(op) = self.operator().filter(|op| op.precedence() >= floor) {
            let op_start = self.start();
            self.at += 1;
            left = self.binary(left, op, op_start)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn signed(&mut self) -> Parsed<Node> {
        let start = self.start();
        let minus = match self.peek() {
            Tok::Op(BinaryOp::Sub) => true,
            Tok::Op(BinaryOp::Add) => false,
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        self.at += 1;
        let mut inner = self.expression(BinaryOp::Pow.precedence())?;
        check::signed(self, &inner)?;
        if let Kind::Number { value, .. } = &mut inner.kind {
            if minus {
                *value = -*value;
            }
            inner.start = start;
            inner.place = self.lines.place(start);
            return Ok(inner);
        }
        let depth = inner.depth + 1;
        let inner = Box::new(inner);
        let kind = if minus {
            Kind::Minus(inner)
        } else {
            Kind::Plus(inner)
        };
        self.node_of_depth(kind, start, depth)
    }

    fn operator(&self) -> Option<BinaryOp> {
        match self.peek() {
            Tok::Op(op) => Some(*op),
            Tok::Word(word) => [
                BinaryOp::And,
                BinaryOp::Or,
                BinaryOp::Unless,
                BinaryOp::Atan2,
            ]
            .into_iter()
            .find(|op| word.eq_ignore_ascii_case(op.as_str())),
            _ => None,
        }
    }

    fn binary(&mut self, left: Node, op: BinaryOp, op_start: usize) -> Parsed<Node> {
        let answers = self.take_word("bool");
        let matching_start = self.start();
        let (matching, stated) = self.matching()?;
        let matching_end = self.last_end();
        if let Tok::Word("fill" | "fill_left" | "fill_right") = self.peek()
            && self.peek_second() == &Tok::Open
        {
            return self.fail("the experimental fill modifiers are not supported");
        }
        // Only `^` groups to the right.
        let floor = op.precedence() + u8::from(op != BinaryOp::Pow);
        let right = self.expression(floor)?;
        let stated = stated.then_some((matching_start, matching_end));
        let binary = Binary {
            op,
            left,
            right,
            answers,
            matching,
        };
        check::binary(self, &binary, op_start, stated)?;
        let (start, depth) = (binary.left.start, binary.left.depth.max(binary.right.depth));
        self.node_of_depth(Kind::Binary(Box::new(binary)), start, depth + 1)
    }

    fn matching(&mut self) -> Parsed<(Matching, bool)> {
        let mut matching = Matching::default();
        let on = self.at_word("on");
        if !on && !self.at_word("ignoring") {
            return Ok((matching, false));
        }
        self.at += 1;
        matching.on = on;
        matching.labels = self.label_list()?;
        matching.many = if self.take_word("group_left") {
            Some(Side::Left)
        } else if self.take_word("group_right") {
            Some(Side::Right)
        } else {
            None
        };
        if matching.many.is_some() && self.peek() == &Tok::Open {
            matching.include = self.label_list()?;
        }
        Ok((matching, true))
    }

    /// `(a, "b.c", d)`
    pub(super) fn label_list(&mut self) -> Parsed<Vec<String>> {
        let place = " in grouping opts";
        self.expect(&Tok::Open, place)?;
        let mut labels: Vec<String> = Vec::new();
        while !self.take(&Tok::Close) {
            let label = match self.peek() {
                Tok::Word(word) => (*word).to_owned(),
                Tok::Text(text) => match Text::as_name(text) {
                    Some(name) => name.to_owned(),
                    None => {
                        return self.fail(format!(
                            "invalid label name for grouping: {}",
                            text.quoted()
                        ));
                    }
                },
                _ => return self.unexpected(&format!("{place}, expected label")),
            };
            self.at += 1;
            if !labels.contains(&label) {
                labels.push(label);
            }
            if self.peek() != &Tok::Close {
                self.expect(&Tok::Comma, &format!("{place}, expected \",\" or \")\""))?;
            }
        }
        Ok(labels)
    }
}
