//! Cuts the text into tokens.
//!
//! An error is the last token, so that what comes before it is judged first.

use super::tree::At;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Left,
    Right,
    Space,
    /// A name or a keyword.
    Word,
    /// `.name`, with its dot.
    Field,
    /// `$name`, with its dollar.
    Variable,
    Dot,
    Number,
    Char,
    Quoted,
    Raw,
    Pipe,
    Open,
    Close,
    Declare,
    Assign,
    Comma,
    End,
    Error,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// The text of the token, or the message of an error.
    pub(super) text: &'a str,
    pub(super) at: At,
}

pub(super) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        text,
        from: 0,
        at: At { line: 1, column: 1 },
        tokens: Vec::new(),
    };
    let end = match lexer.run() {
        Ok(()) => (Kind::End, ""),
        Err(message) => (Kind::Error, message),
    };
    lexer.tokens.push(Token {
        kind: end.0,
        text: end.1,
        at: lexer.at,
    });
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    from: usize,
    at: At,
    tokens: Vec<Token<'a>>,
}

type Lexed = Result<(), &'static str>;

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.from..]
    }

    fn skip(&mut self, bytes: usize) {
        for c in self.rest()[..bytes].chars() {
            if c == '\n' {
                self.at = At {
                    line: self.at.line + 1,
                    column: 1,
                };
            } else {
                self.at.column += 1;
            }
        }
        self.from += bytes;
    }

    fn emit(&mut self, kind: Kind, bytes: usize) {
        self.tokens.push(Token {
            kind,
            text: &self.rest()[..bytes],
            at: self.at,
        });
        self.skip(bytes);
    }

    fn run(&mut self) -> Lexed {
        let mut trim = false;
        loop {
            if trim {
                self.skip(self.rest().len() - self.rest().trim_start_matches(SPACE).len());
            }
            let Some(text) = self.rest().find("{{") else {
                let rest = self.rest().len();
                if rest > 0 {
                    self.emit(Kind::Text, rest);
                }
                return Ok(());
            };
            let after = &self.rest()[text + 2..];
            let left_trim = after.starts_with('-') && after[1..].starts_with(SPACE);
            let kept = match left_trim {
                true => self.rest()[..text].trim_end_matches(SPACE).len(),
                false => text,
            };
            if kept > 0 {
                self.emit(Kind::Text, kept);
            }
            self.skip(text - kept);
            let mark = if left_trim { 4 } else { 2 };
            trim = if self.rest()[mark..].starts_with("/*") {
                self.comment()?
            } else {
                self.emit(Kind::Left, mark);
                self.action()?
            };
        }
    }

    /// Skips a comment with its delimiters; whether it trims what follows.
    fn comment(&mut self) -> Result<bool, &'static str> {
        let close = self.rest().find("*/").ok_or("unclosed comment")? + 2;
        let after = &self.rest()[close..];
        if after.starts_with("}}") {
            self.skip(close + 2);
            Ok(false)
        } else if right_trim(after) {
            self.skip(close + 4);
            Ok(true)
        } else {
            self.skip(close);
            Err("comment ends before closing delimiter")
        }
    }

    /// The tokens of an action; whether it trims what follows.
    fn action(&mut self) -> Result<bool, &'static str> {
        let mut open = 0_u32;
        loop {
            let rest = self.rest();
            let trims = right_trim(rest);
            if trims || rest.starts_with("}}") {
                if open > 0 {
                    return Err("unclosed left paren");
                }
                self.emit(Kind::Right, if trims { 4 } else { 2 });
                return Ok(trims);
            }
            let Some(first) = rest.chars().next() else {
                return Err("unclosed action");
            };
            match first {
                c if SPACE.contains(&c) => self.space(),
                '=' => self.emit(Kind::Assign, 1),
                ':' if rest.starts_with(":=") => self.emit(Kind::Declare, 2),
                ':' => return Err("expected :="),
                '|' => self.emit(Kind::Pipe, 1),
                ',' => self.emit(Kind::Comma, 1),
                '"' => self.quoted(Kind::Quoted, "unterminated quoted string")?,
                '\'' => self.quoted(Kind::Char, "unterminated character constant")?,
                '`' => self.raw()?,
                '(' => {
                    open += 1;
                    self.emit(Kind::Open, 1);
                }
                ')' if open == 0 => return Err("unexpected right paren"),
                ')' => {
                    open -= 1;
                    self.emit(Kind::Close, 1);
                }
                '$' => self.name(Kind::Variable, 1)?,
                '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                    let kind = match rest[1..].starts_with(name_part) {
                        true => Kind::Field,
                        false => Kind::Dot,
                    };
                    self.name(kind, 1)?;
                }
                '.' | '+' | '-' | '0'..='9' => self.number()?,
                c if name_part(c) => self.name(Kind::Word, 0)?,
                _ => return Err("unexpected character in action"),
            }
        }
    }

    /// A run of spaces, less the last one where that begins ` -}}`.
    fn space(&mut self) {
        let rest = self.rest();
        let mut run = rest.len() - rest.trim_start_matches(SPACE).len();
        if right_trim(&rest[run - 1..]) {
            run -= 1;
        }
        if run > 0 {
            self.emit(Kind::Space, run);
        }
    }

    fn name(&mut self, kind: Kind, prefix: usize) -> Lexed {
        let rest = &self.rest()[prefix..];
        let length = rest.find(|c| !name_part(c)).unwrap_or(rest.len());
        let after = &rest[length..];
        // A name has to end where a name may end: `.x+1` is a mistake.
        let ends = after.is_empty()
            || after.starts_with("}}")
            || after.starts_with(SPACE)
            || after.starts_with(['.', ',', '|', ':', ')', '(']);
        if !ends {
            self.skip(prefix + length);
            return Err("bad character after a name");
        }
        self.emit(kind, prefix + length);
        Ok(())
    }

    fn quoted(&mut self, kind: Kind, unterminated: &'static str) -> Lexed {
        let rest = self.rest().as_bytes();
        let mut end = 1;
        loop {
            match rest.get(end) {
                Some(b'\\') if !matches!(rest.get(end + 1), None | Some(b'\n')) => end += 2,
                Some(b'\\' | b'\n') | None => return Err(unterminated),
                Some(byte) if *byte == rest[0] => break,
                Some(_) => end += 1,
            }
        }
        self.emit(kind, end + 1);
        Ok(())
    }

    fn raw(&mut self) -> Lexed {
        let end = self.rest()[1..]
            .find('`')
            .ok_or("unterminated raw quoted string")?;
        self.emit(Kind::Raw, end + 2);
        Ok(())
    }

    fn number(&mut self) -> Lexed {
        let rest = self.rest();
        let mut last = ' ';
        let power = |c| matches!(c, 'e' | 'E' | 'p' | 'P');
        let hex = rest.trim_start_matches(['+', '-']).starts_with("0x");
        let end = rest.find(|c: char| {
            let sign = matches!(c, '+' | '-')
                && (last == ' ' || (power(last) && !(hex && matches!(last, 'e' | 'E'))));
            last = c;
            !(sign || c == '.' || name_part(c))
        });
        self.emit(Kind::Number, end.unwrap_or(rest.len()));
        Ok(())
    }
}

/// What trim markers trim.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn right_trim(rest: &str) -> bool {
    rest.starts_with(SPACE) && rest[1..].starts_with("-}}")
}

fn name_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
