//! Text to tokens. Keywords are words here; the parser knows them by their place.

use super::text::{Text, unquote};
use super::{BinaryOp, duration};
use crate::ParseError;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tok<'a> {
    Open,
    Close,
    BraceOpen,
    BraceClose,
    BracketOpen,
    BracketClose,
    Comma,
    Colon,
    At,
    /// `=`
    Assign,
    /// `=~`
    Match,
    /// `!~`
    NotMatch,
    Op(BinaryOp),
    Number(f64),
    /// Milliseconds.
    Duration(i64),
    Text(Text),
    Word(&'a str),
    End,
}

/// A token and where it stands, in bytes.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) tok: Tok<'a>,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The start of every line but the first, to name places by line and column.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(source: &str) -> Self {
        Self(source.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// Line and column, both from 1.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).map_or(0, |before| self.0[before]);
        (line + 1, offset - start + 1)
    }

    pub(super) fn fault(&self, start: usize, end: usize, what: impl Into<String>) -> ParseError {
        let (line, column) = self.place(start);
        ParseError {
            line,
            column,
            start,
            end: end.max(start),
            what: what.into(),
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    in_braces: bool,
    in_brackets: bool,
}

/// All tokens, an [`Tok::End`] last.
pub(super) fn tokens<'a>(source: &'a str, lines: &Lines) -> Result<Vec<Token<'a>>, ParseError> {
    let mut lexer = Lexer {
        source,
        at: 0,
        in_braces: false,
        in_brackets: false,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let tok = lexer.next().map_err(|what| {
            let end = source[start..]
                .chars()
                .next()
                .map_or(start, |letter| start + letter.len_utf8());
            lines.fault(start, end, what)
        })?;
        let last = tok == Tok::End;
        tokens.push(Token {
            tok,
            start,
            end: lexer.at,
        });
        if last {
            return Ok(tokens);
        }
    }
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.source.as_bytes()[self.at..]
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.rest().get(ahead).copied().unwrap_or(0)
    }

    fn skip_blank(&mut self) {
        loop {
            match self.byte(0) {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'#' => {
                    self.at += self
                        .rest()
                        .iter()
                        .position(|byte| *byte == b'\n')
                        .unwrap_or(self.rest().len());
                }
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Result<Tok<'a>, String> {
        if self.at == self.source.len() {
            return if self.in_braces {
                Err("unexpected end of input inside braces".into())
            } else {
                Ok(Tok::End)
            };
        }
        let (tok, width) = match (self.byte(0), self.byte(1)) {
            (b'=', b'=') => (Tok::Op(BinaryOp::Equal), 2),
            (b'=', b'~') => (Tok::Match, 2),
            (b'=', _) => (Tok::Assign, 1),
            (b'!', b'=') => (Tok::Op(BinaryOp::NotEqual), 2),
            (b'!', b'~') => (Tok::NotMatch, 2),
            (b'<', b'=') => (Tok::Op(BinaryOp::LessEqual), 2),
            (b'<', _) => (Tok::Op(BinaryOp::Less), 1),
            (b'>', b'=') => (Tok::Op(BinaryOp::GreaterEqual), 2),
            (b'>', _) => (Tok::Op(BinaryOp::Greater), 1),
            (b'+', _) => (Tok::Op(BinaryOp::Add), 1),
            (b'-', _) => (Tok::Op(BinaryOp::Sub), 1),
            (b'*', _) => (Tok::Op(BinaryOp::Mul), 1),
            (b'/', _) => (Tok::Op(BinaryOp::Div), 1),
            (b'%', _) => (Tok::Op(BinaryOp::Mod), 1),
            (b'^', _) => (Tok::Op(BinaryOp::Pow), 1),
            (b'(', _) => (Tok::Open, 1),
            (b')', _) => (Tok::Close, 1),
            (b'{', _) => (Tok::BraceOpen, 1),
            (b'}', _) => (Tok::BraceClose, 1),
            (b'[', _) => (Tok::BracketOpen, 1),
            (b']', _) => (Tok::BracketClose, 1),
            (b',', _) => (Tok::Comma, 1),
            (b'@', _) => (Tok::At, 1),
            (b':', _) if self.in_brackets => (Tok::Colon, 1),
            (quote @ (b'"' | b'\'' | b'`'), _) => return self.text(quote),
            (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => return self.number(),
            (byte, _) if byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' => {
                return Ok(self.word());
            }
            _ => {
                let letter = self.source[self.at..].chars().next().unwrap_or(' ');
                return Err(format!("unexpected character: {letter:?}"));
            }
        };
        match tok {
            Tok::BraceOpen if self.in_braces => return Err("unexpected left brace '{'".into()),
            Tok::BracketOpen if self.in_brackets => {
                return Err("unexpected left bracket '['".into());
            }
            Tok::BraceOpen => self.in_braces = true,
            Tok::BraceClose => self.in_braces = false,
            Tok::BracketOpen => self.in_brackets = true,
            Tok::BracketClose => self.in_brackets = false,
            _ => {}
        }
        self.at += width;
        Ok(tok)
    }

    fn text(&mut self, quote: u8) -> Result<Tok<'a>, String> {
        let body = &self.rest()[1..];
        let mut escaped = false;
        let end = body
            .iter()
            .position(|&byte| {
                let ends = (byte == quote && !escaped) || (byte == b'\n' && quote != b'`');
                escaped = byte == b'\\' && !escaped && quote != b'`';
                ends
            })
            .filter(|end| body[*end] == quote)
            .ok_or(if quote == b'`' {
                "unterminated raw string"
            } else {
                "unterminated quoted string"
            })?;
        let inside = &self.source[self.at + 1..self.at + 1 + end];
        let text = unquote(inside, quote)
            .map_err(|what| format!("error unquoting string {inside:?}: {what}"))?;
        self.at += end + 2;
        Ok(Tok::Text(text))
    }

    fn word(&mut self) -> Tok<'a> {
        let colons = !self.in_braces && !self.in_brackets;
        let width = self
            .rest()
            .iter()
            .take_while(|byte| {
                byte.is_ascii_alphanumeric() || **byte == b'_' || (colons && **byte == b':')
            })
            .count()
            .max(1);
        let word = &self.source[self.at..self.at + width];
        self.at += width;
        Tok::Word(word)
    }

    /// A number, or digits and units: the longest run of letters, digits and
    /// underscores decides which.
    fn number(&mut self) -> Result<Tok<'a>, String> {
        let rest = self.rest();
        let hex = rest[0] == b'0' && matches!(rest.get(1), Some(b'x' | b'X'));
        let mut width = 0;
        while let Some(&byte) = rest.get(width) {
            let sign = (byte == b'+' || byte == b'-')
                && !hex
                && width > 0
                && matches!(rest[width - 1], b'e' | b'E')
                && rest[..width - 1]
                    .iter()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'_'));
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || sign {
                width += 1;
            } else {
                break;
            }
        }
        let word = &self.source[self.at..self.at + width];
        self.at += width;
        if let Some(number) = number(word) {
            return Ok(Tok::Number(number));
        }
        duration::parse(word)
            .map(Tok::Duration)
            .ok_or_else(|| format!("bad number or duration syntax: {word:?}"))
    }
}

/// Decimal, octal (`017`) and hexadecimal numbers, underscores between digits.
fn number(word: &str) -> Option<f64> {
    if word.starts_with('_') || word.ends_with('_') || word.contains("__") {
        return None;
    }
    let plain = word.replace('_', "");
    if let Some(hex) = plain
        .strip_prefix("0x")
        .or_else(|| plain.strip_prefix("0X"))
    {
        return u64::from_str_radix(hex, 16).ok().map(|whole| whole as f64);
    }
    if plain.len() > 1
        && plain.bytes().all(|byte| matches!(byte, b'0'..=b'7'))
        && plain.starts_with('0')
    {
        return i64::from_str_radix(&plain, 8)
            .ok()
            .map(|whole| whole as f64);
    }
    let shaped = plain
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    shaped.then(|| plain.parse().ok()).flatten()
}
