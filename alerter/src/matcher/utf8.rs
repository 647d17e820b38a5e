//! The newer grammar: any label name, quoted with Go's escapes where needed.

use super::{Matcher, Op};

/// Letters that end an unquoted name or value.
pub(super) fn reserved(letter: char) -> bool {
    letter.is_whitespace() || "{}!=~,\\\"'`".contains(letter)
}

/// Reads matchers parted by commas, in braces that pair or without.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    let mut cursor = Cursor { text, at: 0 };
    let braced = cursor.eat("{");
    let mut matchers = Vec::new();
    loop {
        if cursor.at_end() || cursor.peeks("}") {
            break;
        }
        let name = cursor.word("label name")?;
        let op = cursor.op()?;
        let value = cursor.word("label value")?;
        matchers.push(Matcher::new(name, op, value)?);
        if !cursor.eat(",") {
            break;
        }
    }
    match (braced, cursor.eat("}")) {
        (true, false) => return Err(cursor.wanted("a comma or close brace")),
        (false, true) => return Err(format!("0:{}: }}: no open brace", cursor.at)),
        _ => {}
    }
    if !cursor.at_end() {
        return Err(cursor.wanted("end of input"));
    }
    Ok(matchers)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn rest(&mut self) -> &str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }

    fn at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    fn peeks(&mut self, sign: &str) -> bool {
        self.rest().starts_with(sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.peeks(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn wanted(&mut self, what: &str) -> String {
        let rest = self.rest().to_owned();
        let at = self.at;
        match rest.chars().next() {
            Some(letter) => format!("{at}:{}: {letter}: expected {what}", at + letter.len_utf8()),
            None => format!("{at}:{at}: end of input: expected {what}"),
        }
    }

    fn op(&mut self) -> Result<Op, String> {
        for (sign, op) in [
            ("=~", Op::Regex),
            ("!=", Op::NotEqual),
            ("!~", Op::NotRegex),
            ("=", Op::Equal),
        ] {
            if self.eat(sign) {
                return Ok(op);
            }
        }
        Err(self.wanted("an operator such as '=', '!=', '=~' or '!~'"))
    }

    fn word(&mut self, what: &str) -> Result<String, String> {
        if self.eat("\"") {
            return self.quoted(what);
        }
        let rest = self.rest();
        let len = rest.find(reserved).unwrap_or(rest.len());
        if len == 0 {
            return Err(self.wanted(what));
        }
        let word = rest[..len].to_owned();
        self.at += len;
        Ok(word)
    }

    /// The text up to the closing quote; the opening one is behind us.
    fn quoted(&mut self, what: &str) -> Result<String, String> {
        let start = self.at - 1;
        let bad = |end: usize| format!("{start}:{end}: bad quoted text: expected {what}");
        let mut bytes = Vec::new();
        let mut letters = self.text[self.at..].char_indices();
        while let Some((offset, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.at += offset + 1;
                    return String::from_utf8(bytes).map_err(|_| bad(self.at));
                }
                '\n' => break,
                '\\' => {
                    let (_, escape) = letters.next().ok_or_else(|| bad(self.text.len()))?;
                    let plain: Option<char> = match escape {
                        'a' => '\u{7}'.into(),
                        'b' => '\u{8}'.into(),
                        'f' => '\u{c}'.into(),
                        'n' => '\n'.into(),
                        'r' => '\r'.into(),
                        't' => '\t'.into(),
                        'v' => '\u{b}'.into(),
                        '\\' | '"' => escape.into(),
                        _ => None,
                    };
                    if let Some(plain) = plain {
                        push(&mut bytes, plain);
                        continue;
                    }
                    let wanted = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => return Err(bad(self.at + offset)),
                    };
                    let number = letters
                        .by_ref()
                        .take(wanted)
                        .try_fold(0_u32, |number, (_, digit)| {
                            Some(number.checked_mul(16)? + digit.to_digit(16)?)
                        })
                        .ok_or_else(|| bad(self.at + offset))?;
                    if let ('x', Ok(byte)) = (escape, u8::try_from(number)) {
                        bytes.push(byte);
                        continue;
                    }
                    let letter = char::from_u32(number).ok_or_else(|| bad(self.at + offset))?;
                    push(&mut bytes, letter);
                }
                _ => push(&mut bytes, letter),
            }
        }
        Err(bad(self.text.len()))
    }
}

fn push(bytes: &mut Vec<u8>, letter: char) {
    bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}
